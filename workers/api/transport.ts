import type { Agent, IncomingMessage, RequestOptions } from 'node:http';
import type { Agent as SecureAgent } from 'node:https';
import { http, https, tls } from '../s3/http/builtins.ts';
import { boundConnecting } from '../s3/http/streams.ts';
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

const pool = { keepAlive: true, maxSockets: 16 } as const;

/**
 * Keeps connections to one kind of peer. Redirects are never followed. `close` ends them. Node's own client, because
 * every worker of a run loads it before it can do anything else: undici costs a quarter of that start.
 */
export class ApiTransport {
  readonly #plain: Agent = new http.Agent(pool);
  readonly #secure: SecureAgent;
  readonly #servername: string | undefined;

  constructor(options: { ca?: string | undefined; onlyThisCA?: boolean; servername?: string | undefined }) {
    const own = options.ca === undefined ? [] : [options.ca];
    const ca = options.onlyThisCA === true ? own : [...tls.rootCertificates, ...own];
    this.#secure = new https.Agent({ ...pool, ca });
    this.#servername = options.servername;
  }

  /** Sends once and reads the whole answer, whatever its status. Throws `WorkerApiError`, or the signal's reason. */
  async send(request: ApiRequest, signal: AbortSignal): Promise<ApiAnswer> {
    signal.throwIfAborted();
    const deadline = AbortSignal.timeout(request.timeout);
    try {
      const answer = await this.#exchange(request, AbortSignal.any([signal, deadline]));
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
    this.#plain.destroy();
    this.#secure.destroy();
  }

  #exchange({ url, method, headers, body }: ApiRequest, signal: AbortSignal): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const length = body === undefined ? {} : { 'content-length': String(body.byteLength) };
    const options: RequestOptions = { method, headers: { ...headers, ...length }, signal };
    const sent =
      url.protocol === 'https:'
        ? https.request(url, { ...options, agent: this.#secure, ...this.#name() })
        : http.request(url, { ...options, agent: this.#plain });
    // Stays for good: a connection that breaks while the answer is read says so here as well.
    sent.on('error', reject);
    sent.on('response', resolve);
    boundConnecting(sent);
    sent.end(body);
    return promise;
  }

  #name(): { servername?: string } {
    return this.#servername === undefined ? {} : { servername: this.#servername };
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
