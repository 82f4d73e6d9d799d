import type { IncomingMessage } from 'node:http';
import { tls } from '../http/builtins.ts';
import { NodeClient } from '../http/nodeclient.ts';
import { WorkerApiError } from './errors.ts';

/** One attempt of one request. */
export interface ApiRequest {
  /** For messages: what is asked, without the URL. */
  readonly what: string;
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
  /** Milliseconds for the whole answer. */
  readonly timeout: number;
}

export interface ApiAnswer {
  readonly status: number;
  readonly body: Buffer;
  /** Milliseconds that the other side asks to wait before the next try. */
  readonly retryAfter: number | undefined;
}

/** No answer may be larger: a listing of a stage's ledger has some MiB, a plan shard a few more. */
const maxBody = 256 * 1024 * 1024;

const maxSockets = 16;

/**
 * Keeps connections to one kind of peer. Redirects are never followed. `close` ends them. Node's own client, because
 * every worker of a run loads it before it can do anything else: undici costs a quarter of that start.
 */
export class ApiTransport {
  readonly #client: NodeClient;

  constructor(options: { ca?: string | undefined; onlyThisCA?: boolean; servername?: string | undefined }) {
    const own = options.ca === undefined ? [] : [options.ca];
    const ca = options.onlyThisCA === true ? own : [...tls.rootCertificates, ...own];
    const name = options.servername === undefined ? {} : { servername: options.servername };
    this.#client = new NodeClient({ maxSockets, ca, ...name });
  }

  /** Sends once and reads the whole answer, whatever its status. Throws `WorkerApiError`, or the signal's reason. */
  async send(request: ApiRequest, signal: AbortSignal): Promise<ApiAnswer> {
    signal.throwIfAborted();
    const deadline = AbortSignal.timeout(request.timeout);
    try {
      const { url, method, headers, body: sent } = request;
      const path = url.pathname + url.search;
      const wire = { origin: url.origin, method, path, headers, body: sent };
      const answer = await this.#client.begin(wire, AbortSignal.any([signal, deadline])).answer;
      const body = await readBody(answer);
      const seconds = Number(answer.headers['retry-after']);
      const retryAfter = seconds > 0 && Number.isFinite(seconds) ? Math.min(seconds, 60) * 1000 : undefined;
      return { status: answer.statusCode ?? 0, body, retryAfter };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw new WorkerApiError(request.what, {
        code: deadline.aborted ? 'Timeout' : 'ConnectionFailed',
        detail: deadline.aborted ? `no answer within ${request.timeout / 1000} s` : describeFailure(error),
        cause: error,
      });
    }
  }

  async close(): Promise<void> {
    this.#client.close();
  }
}

async function readBody(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer) {
    const bytes: Buffer = chunk;
    size += bytes.length;
    // Leaving the loop destroys the answer, and its connection with it.
    if (size > maxBody) throw new Error('the answer is larger than 256 MiB');
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

/** The system's own words (ECONNREFUSED, CERT_HAS_EXPIRED), which never hold a path or a query. */
function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown failure';
  const code = 'code' in error ? String(error.code) : '';
  return code === '' || error.message.includes(code) ? error.message : `${code} ${error.message}`;
}
