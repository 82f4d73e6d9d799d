import type { S3Client } from './client.ts';
import { S3Error } from './errors.ts';
import { USUAL_BODY, type WireResponse } from './exchange.ts';
import type { StreamResponse } from './transport.ts';
import { unquoteEtag } from './xml.ts';

/** What HEAD says about an object. */
export interface ObjectHead {
  /** Bytes. */
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
  readonly storageClass: string | undefined;
  /** All headers of the answer, lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What is asked of an object: which one, and whether as it is known. */
interface Reading {
  readonly bucket: string;
  readonly key: string;
  readonly range?: ByteRange;
  readonly ifMatch?: string;
  /** HEAD: also the object's checksums. */
  readonly checksums?: boolean;
}

function readingRequest(method: 'GET' | 'HEAD', { bucket, key, range, ifMatch, checksums }: Reading) {
  const headers: Record<string, string> = {};
  if (range !== undefined) headers['range'] = `bytes=${range.first}-${range.last}`;
  if (ifMatch !== undefined) headers['if-match'] = `"${ifMatch}"`;
  if (checksums === true) headers['x-amz-checksum-mode'] = 'ENABLED';
  const operation = method === 'GET' ? 'GetObject' : 'HeadObject';
  return { operation, method, bucket, key, headers } as const;
}

/** Size, ETag and attributes; `undefined` where there is no such object. */
export async function headObject(
  client: S3Client,
  what: Omit<Reading, 'range'>,
  signal: AbortSignal,
): Promise<ObjectHead | undefined> {
  try {
    return await client.request(readingRequest('HEAD', what), readHead, signal);
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    if (error.status === 404) return undefined;
    if (error.status !== 400 && error.status !== 403) throw error;
    return explainRefusal(client, what, error, signal);
  }
}

/**
 * The answer to HEAD has no body, and 400 and 403 stand for anything from a wrong key to a token that expired: a GET of
 * a byte is refused for the same reason, in words. Undefined where it is not refused but says that there is no object.
 */
async function explainRefusal(
  client: S3Client,
  what: Reading,
  refusal: S3Error,
  signal: AbortSignal,
): Promise<undefined> {
  let body: Buffer | undefined;
  try {
    body = await getObject(client, { ...what, range: { first: 0, last: 0 } }, signal);
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    // An empty object has no first byte. A 403 is a denial unless the words tell of what meets all requests alike.
    const clearer = error.status !== 416 && (refusal.status === 400 || error.retryClass === 'fatal');
    throw clearer ? error : refusal;
  }
  if (body !== undefined) throw refusal;
}

function readHead(response: WireResponse): ObjectHead {
  const { headers } = response;
  return {
    size: Number(headers['content-length'] ?? 0),
    etag: unquoteEtag(headers['etag'] ?? ''),
    storageClass: headers['x-amz-storage-class'],
    headers,
  };
}

/** `bytes=first-last`, both included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** Opens an object for reading, whole or a range. The body must be read or destroyed. */
export async function openObject(
  client: S3Client,
  what: Omit<Reading, 'checksums'>,
  signal: AbortSignal,
): Promise<StreamResponse> {
  return client.open(readingRequest('GET', what), signal);
}

/** Reads a small object (at most 32 MiB), or a range of any length, whole; `undefined` where there is none. */
export async function getObject(
  client: S3Client,
  what: Reading,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const request = { ...readingRequest('GET', what), ...roomFor(what.range) };
  try {
    return await client.request(request, (response) => response.body, signal);
  } catch (error) {
    if (error instanceof S3Error && error.code === 'NoSuchKey') return undefined;
    throw error;
  }
}

/** Milliseconds for what carries an object's bytes, in either direction. */
const bodyTimeout = 300_000;
/** So many bytes per millisecond at least, or a long range is asked for again. */
const slowest = 512;
/** A range of so few bytes is answered as soon as any other request. */
const few = 65_536;

/** Parts are larger than usual answers where the object is so large, and take their time. */
function roomFor(range: ByteRange | undefined): { largest?: number; timeout?: number } {
  if (range === undefined) return { timeout: bodyTimeout };
  const size = range.last - range.first + 1;
  if (size <= few) return {};
  return {
    largest: Math.max(USUAL_BODY, size),
    timeout: Math.max(bodyTimeout, Math.ceil(size / slowest)),
  };
}

/**
 * Writes an object and returns its ETag. With `createOnly` an existing object makes it fail with
 * `PreconditionFailed`; after a lost reply that may be our own write, which the caller tells by reading it.
 */
export async function putObject(
  client: S3Client,
  what: {
    bucket: string;
    key: string;
    body: Uint8Array;
    createOnly?: boolean;
    /** Base64 MD5 of the body. */
    contentMd5?: string;
    /** Further headers, lower-case: `content-type`, `x-amz-meta-…`. */
    headers?: Readonly<Record<string, string>>;
  },
  signal: AbortSignal,
): Promise<string> {
  const headers: Record<string, string> = { ...what.headers };
  if (what.createOnly === true) headers['if-none-match'] = '*';
  if (what.contentMd5 !== undefined) headers['content-md5'] = what.contentMd5;
  const { bucket, key, body } = what;
  return client.request(
    { operation: 'PutObject', method: 'PUT', bucket, key, body, headers, timeout: bodyTimeout },
    (response) => unquoteEtag(response.headers['etag'] ?? ''),
    signal,
  );
}

/** Deletes an object; one that is not there is fine. With `ifMatch`, only while it still has that ETag. */
export async function deleteObject(
  client: S3Client,
  what: { bucket: string; key: string; ifMatch?: string },
  signal: AbortSignal,
): Promise<void> {
  const headers: Record<string, string> =
    what.ifMatch === undefined ? {} : { 'if-match': `"${what.ifMatch}"` };
  const { bucket, key } = what;
  const request = { operation: 'DeleteObject', method: 'DELETE', bucket, key, headers } as const;
  try {
    await client.request(request, () => undefined, signal);
  } catch (error) {
    if (error instanceof S3Error && error.code === 'NoSuchKey') return;
    throw error;
  }
}
