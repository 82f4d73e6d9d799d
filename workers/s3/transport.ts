import { rootCertificates } from 'node:tls';
import { Pool, type Dispatcher } from 'undici';
import { followSignal } from './aborting.ts';
import { Deadlines } from './deadlines.ts';
import { S3Error, type S3Target } from './errors.ts';
import { DeadlineExceeded, Exchange, USUAL_BODY } from './exchange.ts';

/** One attempt, signed and in wire form. */
export interface WireRequest {
  readonly origin: string;
  readonly method: 'DELETE' | 'GET' | 'HEAD' | 'POST' | 'PUT';
  /** Path and query, sent byte for byte. */
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array | undefined;
  /** Milliseconds from a free connection to the whole answer (for streams: to its headers, then per pause). */
  readonly timeout: number;
  /** Bytes that a body which is read whole may have; default {@link USUAL_BODY}. */
  readonly largest?: number | undefined;
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

/** Longest wait for a connection, in milliseconds: others hold them as long as their own deadlines allow. */
const usualWait = 15 * 60_000;

/** Keeps connections to the hosts of one store. Redirects are never followed. `close` ends them. */
export class Transport {
  readonly #pools = new Map<string, Pool>();
  readonly #deadlines = new Deadlines();
  readonly #ca: string | undefined;
  readonly #connections: number;
  readonly #longestWait: number;

  constructor(options: { ca?: string | undefined; connections: number; longestWait?: number }) {
    this.#ca = options.ca;
    this.#longestWait = options.longestWait ?? usualWait;
    this.#connections = options.connections;
  }

  /** Sends one attempt and reads the whole answer, whatever its status. Throws `S3Error` when there is none. */
  async send(request: WireRequest, target: S3Target, signal: AbortSignal): Promise<WireResponse> {
    signal.throwIfAborted();
    let inTime = (): unknown => undefined;
    const exchange = new Exchange(request.largest ?? USUAL_BODY, () => {
      inTime();
      inTime = this.#deadlines.start(exchange, request.timeout);
    });
    const unfollow = followSignal(signal, exchange);
    try {
      this.#pool(request.origin).dispatch(
        {
          method: request.method,
          path: request.path,
          headers: request.headers,
          body: request.body ?? null,
          // The exchange has a deadline of its own.
          headersTimeout: 0,
          bodyTimeout: 0,
        },
        exchange,
      );
      if (!exchange.isBegun) inTime = this.#deadlines.start(exchange, this.#longestWait);
      return await exchange.answer;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (!(error instanceof DeadlineExceeded)) throw connectionError(target, error);
      const detail = exchange.isBegun
        ? `no complete answer within ${request.timeout / 1000} s`
        : `no connection was free within ${this.#longestWait / 1000} s`;
      throw new S3Error(target, { code: 'Timeout', status: 0, detail, cause: error });
    } finally {
      inTime();
      unfollow();
    }
  }

  /** Sends one attempt and returns the body unread. The caller must read or destroy it. */
  async open(request: WireRequest, target: S3Target, signal: AbortSignal): Promise<StreamResponse> {
    signal.throwIfAborted();
    try {
      const { statusCode, headers, body } = await this.#pool(request.origin).request({
        method: request.method,
        path: request.path,
        headers: request.headers,
        body: request.body ?? null,
        signal,
        headersTimeout: request.timeout,
        bodyTimeout: request.timeout,
      });
      return { status: statusCode, headers, body };
    } catch (error) {
      throw signal.aborted ? error : connectionError(target, error);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
    this.#pools.clear();
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
