import { ElementCursor } from './scan.ts';
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
 * Reads a page of ListObjectsV2 without building a document. It works on the bytes and only decodes what it needs.
 * Anything missing is an error: a page that was cut short must never look like the end of the listing.
 */
export function scanListing(body: Uint8Array): ListingPage {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (!bytes.includes('</ListBucketResult>', 0, 'latin1'))
    throw new ListingError('BadListing', 'the listing is not a complete ListBucketResult');
  const urlEncoded = bytes.includes('<EncodingType>url</EncodingType>', 0, 'latin1');
  const page = { bytes, text: new TextWindow(bytes), urlEncoded };
  const objects: ListedObject[] = [];
  const cursor = new ElementCursor(bytes);
  let head = '';
  for (let at = 0; ; at = cursor.at) {
    const start = findContents(bytes, at);
    if (start !== at) head += bytes.toString('latin1', at, start < 0 ? bytes.length : start);
    if (start < 0) break;
    cursor.at = start + contents.length;
    objects.push(readObject(page, cursor));
  }
  // With attributes or a namespace, say: objects that are not understood are not none.
  if (/<(?:\w+:)?Contents\b/.test(head))
    throw new ListingError('BadListing', 'the listing writes its objects in a form that is not known');
  const count = elementText(head, 'KeyCount');
  if (count !== undefined && !head.includes('<CommonPrefixes>') && Number(count) !== objects.length) {
    throw new ListingError('BadListing', `the listing says ${count} keys but holds ${objects.length}`);
  }
  return { objects, nextToken: readNextToken(head) };
}

const contents = Buffer.from('<Contents>');

/** Where the next object starts, which mostly is right here; -1 where there is none. */
function findContents(bytes: Buffer, at: number): number {
  for (let n = 0; n < contents.length; n += 1)
    if (bytes[at + n] !== contents[n]) return bytes.indexOf(contents, at);
  return at;
}

/**
 * The bytes of a page as text of the same length, some at a time. To take a piece out of a text costs less than to
 * decode a piece of the bytes, and small texts leave memory sooner than one as large as the page.
 */
class TextWindow {
  readonly #bytes: Buffer;
  #text = '';
  #start = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Bytes from `start` up to `end`. Cheap as long as what is asked for only moves on. */
  slice(start: number, end: number): string {
    if (start < this.#start || end > this.#start + this.#text.length) {
      this.#start = start;
      this.#text = this.#bytes.toString('latin1', start, Math.max(end, start + windowBytes));
    }
    return this.#text.slice(start - this.#start, end - this.#start);
  }
}

const windowBytes = 32 * 1024;

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

interface Page {
  readonly bytes: Buffer;
  readonly text: TextWindow;
  readonly urlEncoded: boolean;
}

function readObject(page: Page, cursor: ElementCursor): ListedObject {
  let key: string | undefined;
  let size = -1;
  let etag = '';
  let lastModified = '';
  let storageClass: string | undefined;
  while (cursor.next()) {
    const { field, start, end } = cursor;
    if (field === 'Key') key = decodeKey(page, start, end);
    else if (field === 'Size') size = readSize(page.bytes, start, end);
    else if (field === 'ETag') etag = readEtag(page, start, end);
    else if (field === 'LastModified') lastModified = page.text.slice(start, end);
    else if (field === 'StorageClass') storageClass = page.text.slice(start, end);
  }
  if (cursor.at < 0) throw new ListingError('BadListing', 'the listing ends inside an object');
  if (key === undefined || size < 0)
    throw new ListingError('BadListing', 'the listing holds an object without a key or size');
  return { key, size, etag, lastModified, storageClass };
}

/** -1 for anything but digits. */
function readSize(bytes: Buffer, start: number, end: number): number {
  let size = start === end ? -1 : 0;
  for (let at = start; at < end; at += 1) {
    const digit = (bytes[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    size = size * 10 + digit;
  }
  return size;
}

const quote = '&quot;';

function readEtag({ bytes, text }: Page, start: number, end: number): string {
  // As nearly every store writes it: &quot;32 hex digits&quot;
  const inner = start + quote.length;
  // The second byte tells &quot; from &#34;, with which an ETag of parts can be just as long.
  const usual = end - start === 32 + 2 * quote.length && bytes[start] === 0x26 && bytes[start + 1] === 0x71;
  if (usual && isPlain(bytes, inner, inner + 32)) return text.slice(inner, inner + 32);
  return unquoteEtag(decodeEntities(text.slice(start, end)));
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeKey({ bytes, text, urlEncoded }: Page, start: number, end: number): string {
  if (isPlain(bytes, start, end)) return text.slice(start, end);
  try {
    // The entities are ASCII, but a reference may stand for any character: bytes first, then references.
    const key = decodeEntities(strictUtf8.decode(bytes.subarray(start, end)));
    return urlEncoded ? decodeURIComponent(key.replaceAll('+', ' ')) : key;
  } catch {
    const raw = text.slice(start, end).replace(/[^!-~]/g, '?');
    throw new ListingError(
      'KeyNotUtf8',
      `a listed key is not valid UTF-8 (as the store wrote it: ${raw.slice(0, 200)})`,
    );
  }
}

/** Bytes that stand for themselves under every encoding: letters, digits and `-._~/=`. */
const plain = Uint8Array.from({ length: 256 }, (_, byte) =>
  /[A-Za-z0-9\-._~/=]/.test(String.fromCharCode(byte)) ? 1 : 0,
);

function isPlain(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (plain[bytes[at] ?? 0] === 0) return false;
  return true;
}
