/** The heads of HTTP/1.1 messages (RFC 9112): what is written before a request's body, what is read before an answer's. */

/** An answer that is not HTTP/1.1 as it should be: nothing after it on the connection can be trusted. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** A request that cannot be sent as it is, now or later. */
export class UnsendableError extends Error {
  override readonly name = 'UnsendableError';
}

/** How the end of an answer's body is told. */
export type Framing =
  | { readonly kind: 'Length'; readonly bytes: number }
  | { readonly kind: 'Chunked' }
  | { readonly kind: 'UntilClose' };

export interface ResponseHead {
  readonly status: number;
  /** Lower-case names; what came twice is joined by commas. Values are bytes, a character each. */
  readonly headers: Readonly<Record<string, string>>;
  readonly framing: Framing;
  /** Whether the other side means to go on with this connection. */
  readonly keepAlive: boolean;
}

export interface RequestHead {
  readonly method: string;
  /** Path and query, sent byte for byte. */
  readonly path: string;
  /** With `host`; values are bytes, a character each. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Nothing may end a line, or begin another request. */
const unsendable = /[^\t\u0020-\u007e\u0080-\u00ff]/;
const unsendablePath = /[^!-~]/;

/** The bytes before a body of `length` bytes, a character each. @throws UnsendableError */
export function formatRequestHead({ method, path, headers }: RequestHead, length: number): string {
  if (unsendablePath.test(path)) throw new UnsendableError('a path with characters that no request may have');
  let text = `${method} ${path} HTTP/1.1\r\n`;
  let values = '';
  for (const name in headers) {
    const value = headers[name] ?? '';
    values += value;
    text += `${name}: ${value}\r\n`;
  }
  if (unsendable.test(values)) throw new UnsendableError('a header with characters that no request may have');
  // A GET with a length of 0 is unusual, a PUT without one is refused.
  return length > 0 || (method !== 'GET' && method !== 'HEAD')
    ? `${text}content-length: ${length}\r\n\r\n`
    : `${text}\r\n`;
}

const statusLine = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: |$)/;
const headerName = /^[!#$%&'*+.^_`|~\w-]+$/;
const digits = /^\d{1,15}$/;
/** White space of HTTP; what else `trim` takes for some can be a byte of UTF-8. */
const around = /^[ \t]+|[ \t]+$/g;

/** Reads an answer's head, without the empty line at its end. @throws ProtocolError */
export function parseResponseHead(text: string, method: string): ResponseHead {
  const lines = text.split('\r\n');
  const [, minor, code] = statusLine.exec(lines[0] ?? '') ?? [];
  if (code === undefined) throw new ProtocolError('the answer does not begin as one of HTTP/1.1');
  const headers: Record<string, string> = {};
  for (let at = 1; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    if (colon < 1 || !headerName.test(name)) throw new ProtocolError('a header without a name');
    const value = line.slice(colon + 1).replace(around, '');
    const before = headers[name];
    headers[name] = before === undefined ? value : `${before}, ${value}`;
  }
  const status = Number(code);
  const connection = (headers['connection'] ?? '').toLowerCase();
  const framing = framingOf(status, headers, method);
  const goesOn = minor === '1' ? !connection.includes('close') : connection.includes('keep-alive');
  return { status, headers, framing, keepAlive: goesOn && framing.kind !== 'UntilClose' };
}

const noBody: Framing = { kind: 'Length', bytes: 0 };

/** RFC 9112, section 6.3. What says two things about its length is an attack or a fault, not an answer. */
function framingOf(status: number, headers: ResponseHead['headers'], method: string): Framing {
  const encoding = headers['transfer-encoding'];
  const length = headers['content-length'];
  if (encoding !== undefined && length !== undefined)
    throw new ProtocolError('the answer says its length in two ways');
  if (length !== undefined && !digits.test(length)) throw new ProtocolError('the length is no number');
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return noBody;
  if (length !== undefined) return { kind: 'Length', bytes: Number(length) };
  if (encoding === undefined) return { kind: 'UntilClose' };
  if (encoding.toLowerCase() !== 'chunked') throw new ProtocolError('an encoding that was not asked for');
  return { kind: 'Chunked' };
}
