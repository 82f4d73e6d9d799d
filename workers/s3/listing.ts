import { decodeEntities, elementText, unquoteEtag } from './xml.ts';

/** One object of a listing. */
export interface ListedObject {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
  /** As the store wrote it, RFC 3339. */
  readonly lastModified: string;
  /** Absent means STANDARD. */
  readonly storageClass: string | undefined;
}

/** One page of ListObjectsV2. `nextToken` is set exactly when there is more. */
export interface ListingPage {
  readonly objects: readonly ListedObject[];
  readonly nextToken: string | undefined;
}

/** A listing that cannot be trusted: cut short, contradicting itself, or with a key that is not UTF-8. */
export class ListingError extends Error {
  override readonly name = 'ListingError';
  readonly code: 'BadListing' | 'KeyNotUtf8';

  constructor(code: 'BadListing' | 'KeyNotUtf8', message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Reads a page of ListObjectsV2 without building a document. It works on the bytes, held as Latin-1 so that every
 * byte is one character, and only decodes what it needs. Anything missing is an error: a page that was cut short
 * must never look like the end of the listing.
 */
export function scanListing(body: Uint8Array): ListingPage {
  const xml = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1');
  const close = xml.lastIndexOf('</ListBucketResult>');
  if (close < 0) throw new ListingError('BadListing', 'the listing is not a complete ListBucketResult');
  const urlEncoded = xml.includes('<EncodingType>url</EncodingType>');
  const objects: ListedObject[] = [];
  let head = '';
  let at = 0;
  for (;;) {
    const start = xml.indexOf('<Contents>', at);
    if (start < 0) break;
    const end = xml.indexOf('</Contents>', start);
    if (end < 0) throw new ListingError('BadListing', 'the listing ends inside an object');
    head += xml.slice(at, start);
    objects.push(readObject(xml, start, end, urlEncoded));
    at = end + 11;
  }
  head += xml.slice(at);
  const count = elementText(head, 'KeyCount');
  if (count !== undefined && !head.includes('<CommonPrefixes>') && Number(count) !== objects.length) {
    throw new ListingError('BadListing', `the listing says ${count} keys but holds ${objects.length}`);
  }
  return { objects, nextToken: readNextToken(head) };
}

function readNextToken(head: string): string | undefined {
  const truncated = elementText(head, 'IsTruncated');
  if (truncated === 'false') return undefined;
  if (truncated !== 'true')
    throw new ListingError('BadListing', 'the listing does not say whether it is complete');
  const token = elementText(head, 'NextContinuationToken');
  if (token === undefined || token === '') {
    throw new ListingError('BadListing', 'the listing has more pages but names no continuation token');
  }
  return Buffer.from(token, 'latin1').toString('utf8');
}

function readObject(xml: string, start: number, end: number, urlEncoded: boolean): ListedObject {
  const rawKey = readElement(xml, '<Key>', '</Key>', start, end);
  const rawSize = readElement(xml, '<Size>', '</Size>', start, end);
  if (rawKey === undefined || rawSize === undefined || !/^\d+$/.test(rawSize)) {
    throw new ListingError('BadListing', 'the listing holds an object without a key or size');
  }
  return {
    key: decodeKey(rawKey, urlEncoded),
    size: Number(rawSize),
    etag: unquoteEtag(decodeEntities(readElement(xml, '<ETag>', '</ETag>', start, end) ?? '')),
    lastModified: readElement(xml, '<LastModified>', '</LastModified>', start, end) ?? '',
    storageClass: readElement(xml, '<StorageClass>', '</StorageClass>', start, end),
  };
}

function readElement(
  xml: string,
  open: string,
  close: string,
  start: number,
  end: number,
): string | undefined {
  const from = xml.indexOf(open, start);
  if (from < 0 || from > end) return undefined;
  const to = xml.indexOf(close, from);
  return to < 0 || to > end ? undefined : xml.slice(from + open.length, to);
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeKey(raw: string, urlEncoded: boolean): string {
  if (/^[A-Za-z0-9\-._~/=]*$/.test(raw)) return raw;
  try {
    if (urlEncoded) return decodeURIComponent(decodeEntities(raw).replaceAll('+', ' '));
    // The entities are ASCII, but a reference may stand for any character: bytes first, then references.
    return decodeEntities(strictUtf8.decode(Buffer.from(raw, 'latin1')));
  } catch {
    throw new ListingError(
      'KeyNotUtf8',
      `a listed key is not valid UTF-8 (as the store wrote it: ${raw.replace(/[^!-~]/g, '?').slice(0, 200)})`,
    );
  }
}
