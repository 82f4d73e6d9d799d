import type { IncomingMessage } from 'node:http';
import type { SecureContext } from 'node:tls';
import { tls } from '../http/builtins.ts';
import { followSignal } from './aborting.ts';
import { Deadlines } from './deadlines.ts';
import { S3Error, type S3Target } from './errors.ts';
import { DeadlineExceeded, Exchange, USUAL_BODY, type WireResponse } from './exchange.ts';
import { Connections } from '../http/connections.ts';
import { UnsendableError } from '../http/head.ts';
import { StreamClient } from '../http/streams.ts';

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
  /** Bytes that a body which is read whole may have; default {@link USUAL_BODY}. */
  readonly largest?: number | undefined;
}

export interface StreamResponse {
  readonly status: number;
  readonly headers: WireResponse['headers'];
  readonly body: IncomingMessage;
}

/** Keeps connections to the hosts of one store. Redirects are never followed. `close` ends them, for good. */
export class Transport {
  readonly #hosts = new Map<string, Connections>();
  readonly #streams: StreamClient;
  readonly #deadlines = new Deadlines();
  readonly #trust: SecureContext | undefined;
  #closed = false;

  constructor(options: { ca?: string | undefined }) {
    // Once: to read all those certificates takes 8 ms.
    if (options.ca !== undefined)
      this.#trust = tls.createSecureContext({ ca: [...tls.rootCertificates, options.ca] });
    this.#streams = new StreamClient(this.#trust);
  }

  /** Sends one attempt and reads the whole answer, whatever its status. Throws `S3Error` when there is none. */
  async send(request: WireRequest, target: S3Target, signal: AbortSignal): Promise<WireResponse> {
    signal.throwIfAborted();
    this.#refuseClosed();
    const exchange = new Exchange(request.largest ?? USUAL_BODY);
    const inTime = this.#deadlines.start(exchange, request.timeout);
    const unfollow = followSignal(signal, exchange);
    try {
      this.#host(request.origin).dispatch(request, exchange);
      return await exchange.answer;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      this.#refuseClosed();
      if (error instanceof UnsendableError)
        throw new S3Error(target, { code: 'InvalidRequest', status: 0, detail: error.message, cause: error });
      if (!(error instanceof DeadlineExceeded)) throw connectionError(target, error);
      const detail = `no complete answer within ${request.timeout / 1000} s`;
      throw new S3Error(target, { code: 'Timeout', status: 0, detail, cause: error });
    } finally {
      inTime();
      unfollow();
    }
  }

  /** Sends one attempt and returns the body unread. The caller must read or destroy it. */
  async open(request: WireRequest, target: S3Target, signal: AbortSignal): Promise<StreamResponse> {
    signal.throwIfAborted();
    this.#refuseClosed();
    try {
      return await this.#streams.open(request, signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      this.#refuseClosed();
      throw connectionError(target, error);
    }
  }

  close(): void {
    this.#closed = true;
    for (const connections of this.#hosts.values()) connections.close();
    this.#hosts.clear();
    this.#streams.close();
  }

  /** No error of the store: tried again, a request would open new connections that nobody closes. */
  #refuseClosed(): void {
    if (this.#closed) throw new Error('the client is closed');
  }

  #host(origin: string): Connections {
    let connections = this.#hosts.get(origin);
    if (connections === undefined) {
      connections = new Connections({ origin, trust: this.#trust });
      this.#hosts.set(origin, connections);
    }
    return connections;
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
