import { Addresses, type Addressing, type S3Address } from './address.ts';
import type { CredentialSource } from './credentials.ts';
import { encodeQuery, type QueryParameter } from './encode.ts';
import { errorFromResponse, S3Error, type S3Target } from './errors.ts';
import type { Traffic } from './lane.ts';
import { Lanes } from './lanes.ts';
import { Places } from './places.ts';
import { presign, type PresignedUrl } from './presign.ts';
import { defaultRetry, withRetry, type RetryPolicy } from './retry.ts';
import { EMPTY_SHA256, hashPayload, Signer } from './sign.ts';
import { readBeginning } from '../http/streams.ts';
import type { WireResponse } from './exchange.ts';
import { Transport, type StreamResponse, type WireRequest } from './transport.ts';

/** Where a store is and how to talk to it. */
export interface S3ClientOptions {
  /** `https://host[:port]`; without it, Amazon's endpoint of the region. */
  readonly endpoint?: string | undefined;
  /** `us-east-1` when left out, which most other stores take. */
  readonly region?: string | undefined;
  /** `Path`: endpoint/bucket/key; `Virtual`: bucket.endpoint/key. Default `Path` with an endpoint, `Virtual` without. */
  readonly addressing?: Addressing | undefined;
  /** PEM of a CA to trust besides the well-known ones. */
  readonly ca?: string | undefined;
  readonly credentials: CredentialSource;
  /** Requests that may be under way, each on a connection of its own; more than this wait. */
  readonly connections?: number | undefined;
  readonly retry?: RetryPolicy | undefined;
  /** The clock that signatures use. */
  readonly now?: (() => Date) | undefined;
}

/** One operation, before signing. */
export interface S3Request extends S3Target {
  readonly method: WireRequest['method'];
  readonly query?: readonly QueryParameter[];
  /** Lower-case names; all are signed. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Milliseconds per attempt, default 60,000. */
  readonly timeout?: number;
  /** Bytes of an answer that is read whole, if it may have more than usual. */
  readonly largest?: number;
}

const defaultTimeout = 60_000;

/**
 * A signed S3 client. It knows requests, retries and addresses; what S3's operations mean is in objects.ts,
 * copies.ts and multipart.ts. Every attempt has a deadline, attempts are bounded, redirects are refused.
 */
export class S3Client {
  readonly region: string;
  readonly #addresses: Addresses;
  readonly #credentials: CredentialSource;
  readonly #retry: RetryPolicy;
  readonly #signer: Signer;
  readonly #transport: Transport;
  readonly #lanes = new Lanes();
  readonly #places: Places;
  readonly #now: () => Date;

  constructor(options: S3ClientOptions) {
    this.region = options.region ?? 'us-east-1';
    this.#addresses = new Addresses(options.endpoint, options.addressing, this.region);
    this.#credentials = options.credentials;
    this.#retry = options.retry ?? defaultRetry;
    this.#signer = new Signer(this.region);
    this.#transport = new Transport({ ca: options.ca });
    this.#places = new Places(options.connections ?? 64);
    this.#now = options.now ?? (() => new Date());
  }

  /** The address of a bucket, or of a key in it. */
  address(bucket: string, key?: string): S3Address {
    return this.#addresses.of(bucket, key);
  }

  /** What went out so far, and how much of it the store refused for being too much. */
  get traffic(): Traffic {
    return this.#lanes.traffic;
  }

  /**
   * Sends a request until it succeeds (2xx) and `read` accepts the answer; what `read` throws is judged for a retry
   * like any other error. Throws `S3Error`, or the signal's reason.
   */
  async request<T>(request: S3Request, read: (response: WireResponse) => T, signal: AbortSignal): Promise<T> {
    const attempt = async (): Promise<T> => {
      const response = await this.#transport.send(await this.#sign(request, signal), request, signal);
      if (response.status < 200 || response.status > 299) {
        throw errorFromResponse(request, response.status, response.headers, response.body.toString('utf8'));
      }
      return read(response);
    };
    return withRetry(this.#retry, () => this.#paced(request, attempt, signal), signal);
  }

  /** The same for an answer whose body is a stream; once it flows, failures are the reader's. */
  async open(request: S3Request, signal: AbortSignal): Promise<StreamResponse> {
    const attempt = async (): Promise<StreamResponse> => {
      const response = await this.#transport.open(await this.#sign(request, signal), request, signal);
      if (response.status >= 200 && response.status <= 299) return response;
      // The status says enough where the rest breaks off.
      const text = await readBeginning(response.body, 65_536).catch(() => '');
      throw errorFromResponse(request, response.status, response.headers, text);
    };
    return withRetry(this.#retry, () => this.#paced(request, attempt, signal), signal);
  }

  /** A URL that lets its holder do one thing to one key. `expiresIn` in seconds. */
  async presign(
    what: {
      readonly method: 'GET' | 'HEAD' | 'PUT';
      readonly bucket: string;
      readonly key: string;
      readonly expiresIn: number;
      /** PUT only: the holder can create the object but not overwrite it. */
      readonly createOnly?: boolean;
    },
    signal: AbortSignal,
  ): Promise<PresignedUrl> {
    const address = this.#addresses.of(what.bucket, what.key);
    const headers: Record<string, string> = what.createOnly === true ? { 'if-none-match': '*' } : {};
    const credentials = await this.#credentials(signal);
    const request = { ...address, method: what.method, headers, expiresIn: what.expiresIn };
    return presign(this.#signer, request, credentials, this.#now());
  }

  async close(): Promise<void> {
    this.#transport.close();
  }

  /** Sends one attempt when the store can be expected to bear it, and takes in whether it did. */
  async #paced<T>(request: S3Request, attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const reads = request.method === 'GET' || request.method === 'HEAD';
    const lane = this.#lanes.of(request.bucket, reads ? 'read' : 'write');
    const turn = lane.enter(signal);
    if (turn !== undefined) await turn;
    // For its lane a request that waits for a place is under way: it was let through at the rate of this moment.
    const sentAt = performance.now();
    const place = this.#places.enter(signal);
    if (place !== undefined) await place;
    try {
      const result = await attempt();
      lane.succeeded(sentAt);
      return result;
    } catch (error) {
      if (error instanceof S3Error && error.retryClass === 'throttle') lane.refused(sentAt, error.retryAfter);
      throw error;
    } finally {
      this.#places.leave();
    }
  }

  async #sign(request: S3Request, signal: AbortSignal): Promise<WireRequest> {
    const credentials = await this.#credentials(signal);
    const { origin, host, path } = this.#addresses.of(request.bucket, request.key);
    const query = encodeQuery(request.query ?? []);
    const payloadHash = request.body === undefined ? EMPTY_SHA256 : hashPayload(request.body);
    const signable = { method: request.method, host, path, query, headers: request.headers ?? {} };
    return {
      origin,
      method: request.method,
      path: query === '' ? path : `${path}?${query}`,
      headers: this.#signer.signHeaders(signable, payloadHash, credentials, this.#now()),
      body: request.body,
      timeout: request.timeout ?? defaultTimeout,
      largest: request.largest,
    };
  }
}
