import { rootCertificates } from 'node:tls';
import { Agent } from 'undici';
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

/** Keeps connections to one kind of peer. Redirects are never followed. `close` ends them. */
export class ApiTransport {
  readonly #agent: Agent;

  constructor(options: { ca?: string | undefined; onlyThisCA?: boolean; servername?: string | undefined }) {
    const own = options.ca === undefined ? [] : [options.ca];
    const ca = options.onlyThisCA === true ? own : [...rootCertificates, ...own];
    const servername = options.servername === undefined ? {} : { servername: options.servername };
    this.#agent = new Agent({ connections: 16, connect: { timeout: 10_000, ca, ...servername } });
  }

  /** Sends once and reads the whole answer, whatever its status. Throws `WorkerApiError`, or the signal's reason. */
  async send(request: ApiRequest, signal: AbortSignal): Promise<ApiAnswer> {
    signal.throwIfAborted();
    const deadline = AbortSignal.timeout(request.timeout);
    try {
      const { statusCode, headers, body } = await this.#agent.request({
        origin: request.url.origin,
        path: `${request.url.pathname}${request.url.search}`,
        method: request.method,
        headers: request.headers,
        body: request.body ?? null,
        signal: AbortSignal.any([signal, deadline]),
        headersTimeout: request.timeout,
        bodyTimeout: request.timeout,
      });
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of body) {
        const bytes: Buffer = chunk;
        size += bytes.length;
        if (size > maxBody) throw new Error('the answer is larger than 256 MiB');
        chunks.push(bytes);
      }
      const seconds = Number(headers['retry-after']);
      const retryAfter = seconds > 0 && Number.isFinite(seconds) ? Math.min(seconds, 60) * 1000 : undefined;
      return { status: statusCode, body: Buffer.concat(chunks), retryAfter };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const timedOut = deadline.aborted || (error instanceof Error && error.name.endsWith('TimeoutError'));
      throw new WorkerApiError(request.what, {
        code: timedOut ? 'Timeout' : 'ConnectionFailed',
        detail: timedOut ? `no answer within ${request.timeout / 1000} s` : describeFailure(error),
        cause: error,
      });
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

/** The system's own words (ECONNREFUSED, CERT_HAS_EXPIRED), which never hold a path or a query. */
function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown failure';
  const code = 'code' in error ? String(error.code) : '';
  return code === '' || error.message.includes(code) ? error.message : `${code} ${error.message}`;
}
