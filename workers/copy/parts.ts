import { createHash } from 'node:crypto';
import type { PlanRow } from '../contract/copyplan.ts';
import type { ChecksumAlgorithm } from '../s3/checksums.ts';
import type { S3Client } from '../s3/client.ts';
import { S3Error } from '../s3/errors.ts';
import {
  abortMultipart,
  completeMultipart,
  createMultipart,
  type Upload,
  uploadPart,
  uploadPartCopy,
  type UploadedPart,
} from '../s3/multipart.ts';
import { getObject, headObject, type ByteRange, type ObjectHead } from '../s3/objects.ts';
import { ensureTagging, getTagging } from '../s3/tagging.ts';
import type { ByteBudget } from './budget.ts';
import { sourceChanged } from './heads.ts';
import { runBounded } from './pool.ts';
import { RowFailed } from './rowfailed.ts';

/** Both ends of one row's copy. */
export interface Ends {
  readonly source: { readonly client: S3Client; readonly bucket: string };
  readonly destination: { readonly client: S3Client; readonly bucket: string };
}

const MiB = 1024 ** 2;
/** S3's own limits. */
const smallestPart = 5 * MiB;
const mostParts = 10_000;
/** Parts of one object in flight; where they go through this process, its memory allows fewer. */
const partConcurrency = 8;
/** Bytes of a part at most, but for objects of more than ten thousand such parts. */
const largestPart = { ServerSide: 128 * MiB, Stream: 16 * MiB } as const;

/** The ranges in which an object is copied: equal parts, but for the last. */
export function splitParts(size: number, threshold: number, transfer: 'ServerSide' | 'Stream'): ByteRange[] {
  const wanted = Math.max(smallestPart, Math.min(threshold, largestPart[transfer]));
  const least = Math.ceil(Math.ceil(size / mostParts) / MiB) * MiB;
  const partSize = Math.max(wanted, least);
  const ranges: ByteRange[] = [];
  for (let first = 0; first < size; first += partSize) {
    ranges.push({ first, last: Math.min(size, first + partSize) - 1 });
  }
  return ranges;
}

/** The ETag that S3 gives an object made of these parts, or undefined where part ETags are no MD5 sums. */
export function multipartEtag(parts: readonly UploadedPart[]): string | undefined {
  const ordered = parts.toSorted((a, b) => a.number - b.number);
  if (!ordered.every((part) => /^[0-9a-f]{32}$/.test(part.etag))) return undefined;
  const sums = Buffer.concat(ordered.map((part) => Buffer.from(part.etag, 'hex')));
  return `${createHash('md5').update(sums).digest('hex')}-${ordered.length}`;
}

const carriedHeaders = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
] as const;

/** What an object written anew must be given to be like its source: metadata, content headers, storage class. */
export function carriedAttributes(head: ObjectHead): Record<string, string> {
  const carried: Record<string, string> = {};
  for (const name of carriedHeaders) {
    const value = head.headers[name];
    if (value !== undefined) carried[name] = value;
  }
  for (const [name, value] of Object.entries(head.headers)) {
    if (name.startsWith('x-amz-meta-')) carried[name] = value;
  }
  if (head.storageClass !== undefined) carried['x-amz-storage-class'] = head.storageClass;
  return carried;
}

/** Copies a large object in parts, on the server or through this process, and returns the copy's ETag. */
export async function copyInParts(
  ends: Ends,
  row: PlanRow,
  how: {
    readonly head: ObjectHead;
    readonly transfer: 'ServerSide' | 'Stream';
    readonly threshold: number;
    /** Nothing may be at the destination, and the store is known to see to that. */
    readonly createOnly: boolean;
    /** Called when all parts are there; what it throws keeps the object from being made of them. */
    readonly confirm?: () => Promise<void>;
    /** What the parts that go through this process may hold in memory. */
    readonly budget: ByteBudget;
    /** A checksum of the whole object that the copy is to have. */
    readonly checksum?: ChecksumAlgorithm | undefined;
    /** Told the bytes of every part that is done. */
    readonly onPart?: ((bytes: number) => void) | undefined;
  },
  signal: AbortSignal,
): Promise<string> {
  const { source, destination } = ends;
  const headers = carriedAttributes(how.head);
  const tagging = await getTagging(source.client, { bucket: source.bucket, key: row.source }, signal);
  if (tagging !== '') headers['x-amz-tagging'] = tagging;
  // Only a CRC of the whole can be made of those of parts; it comes without further requests.
  if (how.checksum?.startsWith('crc') === true) {
    headers['x-amz-checksum-algorithm'] = how.checksum.toUpperCase();
    headers['x-amz-checksum-type'] = 'FULL_OBJECT';
  }
  const ranges = splitParts(row.size, how.threshold, how.transfer);
  const target = { bucket: destination.bucket, key: row.destination };
  const upload = await createMultipart(destination.client, { ...target, headers }, signal);
  try {
    const parts: UploadedPart[] = [];
    await runBounded(
      ranges.entries(),
      partConcurrency,
      async ([index, range], partSignal) => {
        const part = { number: index + 1, range };
        const copy = (): Promise<UploadedPart> =>
          how.transfer === 'Stream'
            ? streamPart(ends, row, upload, part, partSignal)
            : copyPart(ends, row, upload, part, partSignal);
        const bytes = range.last - range.first + 1;
        const held = how.transfer === 'Stream' ? bytes : 0;
        parts.push(await how.budget.hold(held, copy, partSignal));
        how.onPart?.(bytes);
      },
      signal,
    );
    await how.confirm?.();
    const etag = await complete(destination.client, { ...upload, createOnly: how.createOnly }, parts, signal);
    const expected = multipartEtag(parts);
    if (expected !== undefined && etag !== expected && etag.endsWith(`-${parts.length}`)) {
      throw new RowFailed('EtagMismatch', `the copy has ETag ${etag} instead of ${expected}`);
    }
    if (tagging !== '') await ensureTagging(destination.client, target, tagging, signal);
    return etag;
  } catch (error) {
    // Not bound to the signal: parts that stay behind cost money, also when the stage is being ended.
    await abortMultipart(destination.client, upload, AbortSignal.timeout(5_000)).catch(() => undefined);
    throw error;
  }
}

/**
 * Makes the object. Where something is there already, or the upload is gone, it may have been done by this very request,
 * whose answer was lost.
 */
async function complete(
  client: S3Client,
  upload: Upload & { readonly createOnly: boolean },
  parts: readonly UploadedPart[],
  signal: AbortSignal,
): Promise<string> {
  try {
    const told = await completeMultipart(client, upload, parts, signal);
    // Ceph's gateway leaves it empty.
    return told === '' ? (multipartEtag(parts) ?? '') : told;
  } catch (error) {
    const expected = multipartEtag(parts);
    if (!(error instanceof S3Error) || expected === undefined) throw error;
    if (error.status !== 412 && error.code !== 'NoSuchUpload') throw error;
    const { bucket, key } = upload;
    const head = await headObject(client, { bucket, key }, signal);
    if (head?.etag !== expected) throw error;
    return expected;
  }
}

/** One part and where it is in the object. */
interface Part {
  readonly number: number;
  readonly range: ByteRange;
}

async function copyPart(
  { source, destination }: Ends,
  row: PlanRow,
  upload: Upload,
  part: Part,
  signal: AbortSignal,
): Promise<UploadedPart> {
  const pinned = { bucket: source.bucket, key: row.source, etag: row.etag };
  return uploadPartCopy(destination.client, upload, { ...part, source: pinned }, signal);
}

async function streamPart(
  { source, destination }: Ends,
  row: PlanRow,
  upload: Upload,
  { number, range }: Part,
  signal: AbortSignal,
): Promise<UploadedPart> {
  const what = { bucket: source.bucket, key: row.source, range, ifMatch: row.etag };
  const body = await getObject(source.client, what, signal);
  if (body?.length !== range.last - range.first + 1) throw sourceChanged();
  const contentMd5 = createHash('md5').update(body).digest('base64');
  return uploadPart(destination.client, upload, { number, body, contentMd5 }, signal);
}
