import { createHmac, hash } from 'node:crypto';
import { HmacKey } from './hmac.ts';

/** What a request is signed with. `expiration` is when the store stops taking it, if it is known. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  readonly expiration?: Date | undefined;
}

/** A request as it goes over the wire: path and query are already in canonical form (see encode.ts). */
export interface SignableRequest {
  readonly method: string;
  /** `host` or `host:port`, as the Host header will say it. */
  readonly host: string;
  readonly path: string;
  readonly query: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
}

export const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD';
export const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** Headers that proxies may change, or that carry the signature: signing them would break honest requests. */
const neverSigned = new Set([
  'authorization',
  'cache-control',
  'connection',
  'expect',
  'from',
  'keep-alive',
  'max-forwards',
  'pragma',
  'referer',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'x-amzn-trace-id',
]);

let lastDate = { second: -1, text: '' };

/** `20260102T030405Z`, the form of time that SigV4 uses. */
export function formatAmzDate(now: Date): string {
  const second = Math.floor(now.getTime() / 1000);
  if (second !== lastDate.second) {
    lastDate = { second, text: now.toISOString().replace(/[:-]|\.\d{3}/g, '') };
  }
  return lastDate.text;
}

/** Lower-case hex SHA-256 of a body. */
export function hashPayload(body: string | Uint8Array): string {
  return body.length === 0 ? EMPTY_SHA256 : hash('sha256', body);
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** ASCII white space that the canonical form of a value does without; bytes of UTF-8 are none, whatever they look like. */
const uncanonical = /^ | $|[\t-\r]| {2}/;

function canonicalValue(value: string): string {
  if (!uncanonical.test(value)) return value;
  return value.replace(/[\t-\r ]+/g, ' ').replace(/^ | $/g, '');
}

const beyondAscii = /[\u0080-\u00ff]/;

/** The signed header block: canonical `name:value` lines and the list of names, sorted. */
export function canonicalHeaders(headers: Readonly<Record<string, string>>): {
  block: string;
  names: string;
} {
  const sorted = Object.keys(headers).toSorted();
  let block = '';
  let names = '';
  for (const name of sorted) {
    if (neverSigned.has(name)) continue;
    const value = headers[name] ?? '';
    block += `${name}:${canonicalValue(value)}\n`;
    names += names === '' ? name : `;${name}`;
  }
  return { block, names };
}

/**
 * Signs requests of one service in one region (AWS Signature Version 4). The derived signing key changes once a day
 * and is kept; deriving it costs four of the five hash rounds of a signature.
 */
export class Signer {
  readonly #region: string;
  readonly #service: string;
  #cached: { secret: string; day: string; key: HmacKey } | undefined;

  constructor(region: string, service = 's3') {
    this.#region = region;
    this.#service = service;
  }

  /** `20260102/region/s3/aws4_request`. */
  scope(day: string): string {
    return `${day}/${this.#region}/${this.#service}/aws4_request`;
  }

  /** The hex signature of a canonical request made at `amzDate`. */
  signature(secretAccessKey: string, amzDate: string, canonicalRequest: string): string {
    const day = amzDate.slice(0, 8);
    // Header values are bytes, a character each, as they come from a store and go to one.
    const bytes = beyondAscii.test(canonicalRequest)
      ? Buffer.from(canonicalRequest, 'latin1')
      : canonicalRequest;
    const text = `AWS4-HMAC-SHA256\n${amzDate}\n${this.scope(day)}\n${hashPayload(bytes)}`;
    return this.#signingKey(secretAccessKey, day).sign(text);
  }

  /**
   * The headers to send: those given plus Host, date, payload hash, token and Authorization.
   * `payloadHash` is the body's SHA-256 in hex or `UNSIGNED_PAYLOAD`.
   */
  signHeaders(
    request: SignableRequest,
    payloadHash: string,
    credentials: Credentials,
    now: Date,
  ): Record<string, string> {
    const amzDate = formatAmzDate(now);
    const headers: Record<string, string> = {
      ...request.headers,
      host: request.host,
      'x-amz-content-sha256': payloadHash,
      'x-amz-date': amzDate,
    };
    if (credentials.sessionToken !== undefined) headers['x-amz-security-token'] = credentials.sessionToken;
    const { block, names } = canonicalHeaders(headers);
    const canonical = `${request.method}\n${request.path}\n${request.query}\n${block}\n${names}\n${payloadHash}`;
    const signature = this.signature(credentials.secretAccessKey, amzDate, canonical);
    const credential = `${credentials.accessKeyId}/${this.scope(amzDate.slice(0, 8))}`;
    headers['authorization'] =
      `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`;
    return headers;
  }

  #signingKey(secret: string, day: string): HmacKey {
    if (this.#cached?.secret === secret && this.#cached.day === day) return this.#cached.key;
    const dateKey = hmac(`AWS4${secret}`, day);
    const key = new HmacKey(hmac(hmac(hmac(dateKey, this.#region), this.#service), 'aws4_request'));
    this.#cached = { secret, day, key };
    return key;
  }
}
