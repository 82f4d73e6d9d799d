/** Calls of the results API; every answer is checked before it is believed. */
import { z } from 'zod';
import { logEntry, type LogEntry } from '../workers/contract/resultsapi.ts';
import { CliError } from './errors.ts';
import { FIND_OPERATOR } from './portforward.ts';

const DEADLINE_MS = 30_000;
const refusal = z.object({ code: z.string(), message: z.string() });

export class ResultsClient {
  readonly #base: string;

  constructor(base: string) {
    this.#base = base;
  }

  /** @throws CliError with the operator's own sentence. */
  async get<T extends z.ZodType>(
    schema: T,
    path: string,
    query: Readonly<Record<string, string | undefined>>,
    signal: AbortSignal,
  ): Promise<z.infer<T>> {
    const response = await this.#send(
      path,
      query,
      AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]),
    );
    const parsed = schema.safeParse(await response.json().catch(() => undefined));
    signal.throwIfAborted();
    if (parsed.success) return parsed.data;
    throw new CliError(
      'BadAnswer',
      'the operator gave an answer that this version does not understand; use the same version of both',
      { cause: parsed.error },
    );
  }

  /** The body as it comes. */
  async *bytes(
    path: string,
    query: Readonly<Record<string, string | undefined>>,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const response = await this.#send(path, query, signal);
    if (response.body === null) return;
    for await (const chunk of response.body) yield chunk;
  }

  /** Entries of a log, one per line of the answer. */
  async *entries(
    path: string,
    query: Readonly<Record<string, string | undefined>>,
    signal: AbortSignal,
  ): AsyncGenerator<{ entry: LogEntry; text: string }, void, undefined> {
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of this.bytes(path, query, signal)) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const text of lines) yield { entry: readEntry(text), text };
    }
    if (rest !== '') throw new CliError('CutShort', 'the answer of the operator was cut short; try again');
  }

  async #send(
    path: string,
    query: Readonly<Record<string, string | undefined>>,
    signal: AbortSignal,
  ): Promise<Response> {
    const url = new URL(path, this.#base);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, value);
    let response: Response;
    try {
      response = await fetch(url, { signal, redirect: 'error' });
    } catch (error) {
      signal.throwIfAborted();
      throw new CliError('Unreachable', `the operator's results cannot be reached at ${this.#base}`, {
        next: FIND_OPERATOR,
        cause: error,
      });
    }
    if (response.ok) return response;
    const { data } = refusal.safeParse(await response.json().catch(() => undefined));
    const message = data?.message ?? `the operator answered ${response.status}`;
    throw new CliError(
      data?.code ?? 'Refused',
      message,
      response.status === 404 ? { next: nextAfter(data?.code, path) } : {},
    );
  }
}

/** What a run has is shown by its record, and which runs there are by the list. */
function nextAfter(code: string | undefined, path: string): string {
  const [, uid] = /^\/v1\/runs\/([^/]+)\//.exec(path) ?? [];
  return code === 'NotFound' || uid === undefined ? 'ebbflow results list' : `ebbflow results show ${uid}`;
}

function readEntry(text: string): LogEntry {
  try {
    return logEntry.parse(JSON.parse(text));
  } catch (error) {
    throw new CliError('BadAnswer', 'a line of the answer is not an entry of a log', { cause: error });
  }
}
