import { rootCertificates } from 'node:tls';
import { Pool, type Dispatcher } from 'undici';
import { S3Error, type S3Target } from './errors.ts';

/** One attempt, signed and in wire form. */
export interface WireRequest {
  readonly origin: string;
  readonly method: 'DELETE' | 'GET' | 'HEAD' | 'POST' | 'PUT';
  /** Path and query, sent byte for byte. */
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array | undefined;
  /** Milliseconds for the whole answer (for streams: until its headers, then per pause). */
  readonly timeout: number;
}

export interface WireResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface StreamResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Dispatcher.ResponseData['body'];
}

/** No answer that is read whole may be larger (a listing of 1,000 longest keys has 4 MB). */
const maxBody = 32 * 1024 * 1024;

/** Keeps connections to the hosts of one store. Redirects are never followed. `close` ends them. */
export class Transport {
  readonly #pools = new Map<string, Pool>();
  readonly #ca: string | undefined;
  readonly #connections: number;

  constructor(options: { ca?: string | undefined; connections: number }) {
    this.#ca = options.ca;
    this.#connections = options.connections;
  }

  /** Sends one attempt and reads the whole answer, whatever its status. Throws `S3Error` when there is none. */
  async send(request: WireRequest, target: S3Target, signal: AbortSignal): Promise<WireResponse> {
    return this.#bounded(request, target, signal, async (attempt) => {
      const { statusCode, headers, body } = await this.#dispatch(request, attempt);
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of body) {
        const bytes: Buffer = chunk;
        size += bytes.length;
        if (size > maxBody) throw new Error('the answer is larger than 32 MiB');
        chunks.push(bytes);
      }
      const [first] = chunks;
      const whole = chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks);
      return { status: statusCode, headers, body: whole };
    });
  }

  /** Sends one attempt and returns the body unread. The caller must read or destroy it. */
  async open(request: WireRequest, target: S3Target, signal: AbortSignal): Promise<StreamResponse> {
    signal.throwIfAborted();
    try {
      const { statusCode, headers, body } = await this.#dispatch(request, signal);
      return { status: statusCode, headers, body };
    } catch (error) {
      throw signal.aborted ? error : connectionError(target, error);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
    this.#pools.clear();
  }

  #dispatch(request: WireRequest, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    return this.#pool(request.origin).request({
      method: request.method,
      path: request.path,
      headers: request.headers,
      body: request.body ?? null,
      signal,
      headersTimeout: request.timeout,
      bodyTimeout: request.timeout,
    });
  }

  #pool(origin: string): Pool {
    let pool = this.#pools.get(origin);
    if (pool === undefined) {
      const ca = this.#ca === undefined ? {} : { ca: [...rootCertificates, this.#ca] };
      pool = new Pool(origin, { connections: this.#connections, connect: { timeout: 10_000, ...ca } });
      this.#pools.set(origin, pool);
    }
    return pool;
  }

  async #bounded<T>(
    request: WireRequest,
    target: S3Target,
    signal: AbortSignal,
    work: (attempt: AbortSignal) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    const attempt = new AbortController();
    const stop = (): void => attempt.abort(signal.reason);
    const timer = setTimeout(
      () => attempt.abort(new DOMException('deadline', 'TimeoutError')),
      request.timeout,
    );
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await work(attempt.signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (attempt.signal.aborted) {
        const detail = `no complete answer within ${request.timeout / 1000} s`;
        throw new S3Error(target, { code: 'Timeout', status: 0, detail, cause: error });
      }
      throw connectionError(target, error);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    }
  }
}

/** A failure below HTTP. The system's code (ECONNREFUSED, ENOTFOUND, CERT_HAS_EXPIRED) says enough. */
export function connectionError(target: S3Target, error: unknown): S3Error {
  const timedOut = error instanceof Error && error.name.endsWith('TimeoutError');
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const text = error instanceof Error ? error.message : 'unknown failure';
  const detail = code === '' || text.includes(code) ? text : `${code} ${text}`;
  return new S3Error(target, {
    code: timedOut ? 'Timeout' : 'ConnectionFailed',
    status: 0,
    detail,
    cause: error,
  });
}
