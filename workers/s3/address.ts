import { encodeKey } from './encode.ts';

/** `Path`: endpoint/bucket/key; `Virtual`: bucket.endpoint/key. */
export type Addressing = 'Path' | 'Virtual';

/** Where a bucket or key is on the wire. */
export interface S3Address {
  readonly origin: string;
  readonly host: string;
  readonly path: string;
}

/** A store's address that cannot be used as written. */
export class EndpointError extends Error {
  override readonly name = 'EndpointError';
  readonly code = 'InvalidEndpoint';
}

/** Where the buckets and keys of a store are. */
export class Addresses {
  /** `https://`, and what comes after it: a URL works these out anew whenever it is asked. */
  readonly #scheme: string;
  readonly #host: string;
  readonly #addressing: Addressing;

  /** Without an endpoint, Amazon's of the region. @throws EndpointError */
  constructor(endpoint: string | undefined, addressing: Addressing | undefined, region: string) {
    const url = readEndpoint(endpoint ?? `https://s3.${region}.amazonaws.com`);
    this.#scheme = `${url.protocol}//`;
    this.#host = url.host;
    this.#addressing = addressing ?? (endpoint === undefined ? 'Virtual' : 'Path');
  }

  /** The address of a bucket, or of a key in it. */
  of(bucket: string, key?: string): S3Address {
    const keyPath = key === undefined ? '' : encodeKey(key);
    if (this.#addressing === 'Virtual') {
      const host = `${bucket}.${this.#host}`;
      return { origin: this.#scheme + host, host, path: `/${keyPath}` };
    }
    const path = key === undefined ? `/${encodeKey(bucket)}` : `/${encodeKey(bucket)}/${keyPath}`;
    return { origin: this.#scheme + this.#host, host: this.#host, path };
  }
}

function readEndpoint(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new EndpointError(
      `endpoint ${JSON.stringify(text)} is not a URL; write https://host or https://host:port`,
    );
  }
  const plain = url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '';
  if (!plain || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new EndpointError(
      'an endpoint is https://host or http://host with an optional port and nothing else',
    );
  }
  return url;
}
