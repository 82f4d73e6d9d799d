import { errorDocument, type Refusal } from './refusal.ts';

/** What goes back. A streamed body must have its length among the headers. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer | Iterable<Buffer>;
}

const xml = { 'content-type': 'application/xml' };

export function answerXml(body: string | Buffer, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status: 200, headers: { ...xml, ...headers }, body };
}

export function answerEmpty(status: number, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, headers, body: '' };
}

export function answerError(
  { status, code, message }: Pick<Refusal, 'status' | 'code' | 'message'>,
  retryAfter?: number,
): Answer {
  const headers = retryAfter === undefined ? xml : { ...xml, 'retry-after': String(retryAfter) };
  return { status, headers, body: errorDocument(code, message) };
}
