/** The results bucket over our own S3 client. */
import { CredentialsError } from '../../workers/s3/credentials.ts';
import type { S3Client } from '../../workers/s3/client.ts';
import { S3Error } from '../../workers/s3/errors.ts';
import { listObjects } from '../../workers/s3/listpage.ts';
import { getObject, putObject } from '../../workers/s3/objects.ts';
import { isRetryable } from '../../workers/s3/retry.ts';
import { ResultsError } from './errors.ts';
import type { ResultsStore, SignedGrant, StoreCall } from './types.ts';

export interface S3ResultsStoreOptions {
  client: S3Client;
  bucket: string;
  /** Seconds that presigned URLs live: how long workers can go on without the operator. */
  grantSeconds: number;
  now?: () => Date;
}

export class S3ResultsStore implements ResultsStore {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #grantSeconds: number;
  readonly #now: () => Date;

  constructor(options: S3ResultsStoreOptions) {
    this.#client = options.client;
    this.#bucket = options.bucket;
    this.#grantSeconds = options.grantSeconds;
    this.#now = options.now ?? (() => new Date());
  }

  async put(
    key: string,
    bytes: Uint8Array,
    options: StoreCall & { ifNoneMatch?: boolean; contentType?: string },
  ): Promise<'written' | 'exists'> {
    const createOnly = options.ifNoneMatch === true;
    const headers: Record<string, string> =
      options.contentType === undefined ? {} : { 'content-type': options.contentType };
    try {
      await putObject(
        this.#client,
        { bucket: this.#bucket, key, body: bytes, createOnly, headers },
        options.signal,
      );
      return 'written';
    } catch (error) {
      if (createOnly && error instanceof S3Error && error.status === 412) return 'exists';
      throw translate(error, options.signal);
    }
  }

  async get(key: string, { signal, limit }: StoreCall & { limit?: number }): Promise<Buffer | undefined> {
    const range = limit === undefined ? {} : { range: { first: 0, last: limit - 1 } };
    try {
      return await getObject(this.#client, { bucket: this.#bucket, key, ...range }, signal);
    } catch (error) {
      // Of nothing there is no first byte.
      if (limit !== undefined && error instanceof S3Error && error.status === 416) return Buffer.alloc(0);
      throw translate(error, signal);
    }
  }

  async *list(
    prefix: string,
    options: StoreCall & { startAfter?: string },
  ): AsyncGenerator<{ key: string; size: number }, void, undefined> {
    const { signal, startAfter } = options;
    const bucket = this.#bucket;
    let token: string | undefined;
    do {
      const what = token === undefined && startAfter !== undefined ? { startAfter } : { token };
      let page;
      try {
        page = await listObjects(this.#client, { bucket, prefix, ...what }, signal);
      } catch (error) {
        throw translate(error, signal);
      }
      for (const { key, size } of page.objects) yield { key, size };
      token = page.nextToken;
    } while (token !== undefined);
  }

  presignPut(key: string, { signal }: StoreCall): Promise<SignedGrant> {
    return this.#presign('PUT', key, signal);
  }

  presignGet(key: string, { signal }: StoreCall): Promise<SignedGrant> {
    return this.#presign('GET', key, signal);
  }

  async #presign(method: 'GET' | 'PUT', key: string, signal: AbortSignal): Promise<SignedGrant> {
    const expiresIn = this.#grantSeconds;
    const expiresAt = new Date(this.#now().getTime() + expiresIn * 1000);
    const what = { method, bucket: this.#bucket, key, expiresIn, createOnly: method === 'PUT' };
    try {
      return { ...(await this.#client.presign(what, signal)), expiresAt };
    } catch (error) {
      throw translate(error, signal);
    }
  }
}

/** Errors of the client in our own words; anything unknown, and the signal's reason, stays what it is. */
function translate(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return error;
  if (error instanceof S3Error) {
    const { code, message } = error;
    return new ResultsError(`results store: ${message}`, {
      code,
      transient: isRetryable(error),
      cause: error,
    });
  }
  if (error instanceof CredentialsError) {
    const { code, message } = error;
    return new ResultsError(`results store: ${message}`, { code, transient: false, cause: error });
  }
  return error;
}
