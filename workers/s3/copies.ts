import type { ChecksumAlgorithm } from './checksums.ts';
import type { S3Client, S3Request } from './client.ts';
import { encodeComponent, encodeKey } from './encode.ts';
import { badResponse, errorFromResponse } from './errors.ts';
import type { WireResponse } from './exchange.ts';
import { elementText, unquoteEtag } from './xml.ts';

/** A source object, pinned: the store must refuse when it is no longer exactly this. */
export interface CopySource {
  readonly bucket: string;
  readonly key: string;
  /** Without quotes. */
  readonly etag: string;
}

/** Conditions on what a copy may replace. */
export interface DestinationGuard {
  /** Only create. Stores that ignore this on CopyObject exist: probe first. */
  readonly createOnly?: boolean;
}

const MiB = 1024 ** 2;
const minute = 60_000;

/**
 * Milliseconds for a copy of so many bytes on the server. Where 64 large ones are under way at a time, a slow store gets
 * through them at what is left to each: a deadline that none can keep would have all of them begin again for ever.
 */
export function copyTimeout(bytes: number): number {
  return 15 * minute + 5 * minute * Math.floor(bytes / (128 * MiB));
}

/** `bucket/key`, every byte but RFC 3986's unreserved ones percent-encoded (`+` becomes %2B). */
export function copySourceHeader({ bucket, key }: CopySource): string {
  return `${encodeComponent(bucket)}/${encodeKey(key)}`;
}

/** The headers that name and pin a copy's source. */
export function pinHeaders(source: CopySource): Record<string, string> {
  const headers: Record<string, string> = { 'x-amz-copy-source': copySourceHeader(source) };
  if (source.etag !== '') headers['x-amz-copy-source-if-match'] = `"${source.etag}"`;
  return headers;
}

/** Copies an object of at most 5 GiB on the server and returns the copy's ETag. Attributes and tags are carried. */
export async function copyObject(
  client: S3Client,
  what: {
    source: CopySource;
    /** Bytes of the source; left out where there are few. */
    size?: number;
    bucket: string;
    key: string;
    guard?: DestinationGuard;
    storageClass?: string | undefined;
    /** A checksum that the store is to compute of the copy. */
    checksum?: ChecksumAlgorithm | undefined;
    /** Replaces the source's metadata when given; needed to copy an object onto itself. */
    metadata?: Readonly<Record<string, string>>;
  },
  signal: AbortSignal,
): Promise<string> {
  const headers: Record<string, string> = { ...pinHeaders(what.source), ...what.metadata };
  if (what.metadata !== undefined) headers['x-amz-metadata-directive'] = 'REPLACE';
  if (what.guard?.createOnly === true) headers['if-none-match'] = '*';
  if (what.storageClass !== undefined) headers['x-amz-storage-class'] = what.storageClass;
  if (what.checksum !== undefined) headers['x-amz-checksum-algorithm'] = what.checksum.toUpperCase();
  const { bucket, key } = what;
  const request: S3Request = {
    operation: 'CopyObject',
    method: 'PUT',
    bucket,
    key,
    headers,
    timeout: copyTimeout(what.size ?? 0),
  };
  return client.request(request, (response) => readCopyResult(request, response), signal);
}

/** The ETag of a copy's answer. A store may say 200 first and fail afterwards, in the body, or say nothing at all. */
export function readCopyResult(request: S3Request, response: WireResponse): string {
  const text = response.body.toString('utf8');
  // As nearly every store writes it.
  const plain = /<ETag>(?:&quot;|&#34;|")([0-9a-f-]+)(?:&quot;|&#34;|")<\/ETag>/.exec(text);
  if (plain?.[1] !== undefined) return plain[1];
  if (text.includes('<Error>')) throw errorInSuccess(request, response, text);
  const etag = elementText(text, 'ETag');
  if (etag === undefined || etag === '') {
    throw badResponse(request, response.status, 'success without a result; nothing is known about the copy');
  }
  return unquoteEtag(etag);
}

/** A 200 that holds an error is that error. */
export function errorInSuccess(request: S3Request, response: WireResponse, text: string): Error {
  return errorFromResponse(request, response.status, response.headers, text);
}
