import type { Bucket, StoredObject } from './bucket.ts';
import { encodeForListing, escapeForXml, type ByteString } from './bytestring.ts';
import { Refusal } from './refusal.ts';
import type { DoubleRequest } from './request.ts';
import type { KeySeries } from './series.ts';

/** A page of ListObjectsV2. The continuation token is the last key of the page before, in base64. */
export function listObjects(bucket: Bucket, prefix: ByteString, request: DoubleRequest): Buffer {
  const { query } = request;
  if (query.has('delimiter'))
    throw new Refusal(501, 'NotImplemented', 'the double lists without a delimiter');
  const asked = query.get('max-keys') ?? '1000';
  if (!/^\d+$/.test(asked)) throw new Refusal(400, 'InvalidArgument', 'max-keys');
  const most = Math.min(Number(asked), 1000);
  const token = query.get('continuation-token');
  const after = token === undefined ? query.get('start-after') : readToken(token);
  const encode = query.get('encoding-type') === 'url' ? encodeForListing : escapeForXml;
  const page = takePage(bucket, prefix, after, most, encode);
  const next = page.last === undefined || !page.more ? '' : makeToken(page.last);
  const head =
    '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
    `<Name>${request.bucket}</Name><Prefix>${encode(prefix)}</Prefix><KeyCount>${page.count}</KeyCount>` +
    `<MaxKeys>${most}</MaxKeys>${encode === encodeForListing ? '<EncodingType>url</EncodingType>' : ''}` +
    `<IsTruncated>${next !== ''}</IsTruncated>${next}`;
  return Buffer.concat([Buffer.from(head, 'latin1'), ...page.contents, Buffer.from('</ListBucketResult>')]);
}

function makeToken(last: ByteString): string {
  const token = Buffer.from(last, 'latin1').toString('base64');
  return `<NextContinuationToken>${token}</NextContinuationToken>`;
}

function readToken(token: string): ByteString {
  return Buffer.from(token, 'base64').toString('latin1');
}

interface Page {
  readonly contents: readonly Buffer[];
  readonly count: number;
  readonly last: ByteString | undefined;
  readonly more: boolean;
}

/** Keys of one kind between two others, in order: kept ones, or those of one series. */
interface Run {
  next: number;
  readonly end: number;
  readonly keyAt: (place: number) => ByteString;
  readonly objectAt: (place: number) => StoredObject | undefined;
  readonly series?: KeySeries;
}

function takePage(
  bucket: Bucket,
  prefix: ByteString,
  after: ByteString | undefined,
  most: number,
  encode: (key: ByteString) => string,
): Page {
  const start = after === undefined || after < prefix ? prefix : `${after}\0`;
  // 0xff is in no UTF-8, so this is behind every key with the prefix.
  const end = `${prefix}\u00ff`;
  const runs = runsBetween(bucket, start, end).filter(({ next, end: last }) => next < last);
  const [only] = runs;
  if (runs.length === 1 && only?.series !== undefined) return pageOfSeries(only, only.series, most);
  const contents: string[] = [];
  let last: ByteString | undefined;
  while (contents.length < most) {
    const run = lowest(runs);
    if (run === undefined) break;
    const object = run.objectAt(run.next);
    run.next += 1;
    if (object === undefined) continue;
    contents.push(formatObject(object, encode));
    last = object.key;
  }
  const body = Buffer.from(contents.join(''), 'latin1');
  return { contents: [body], count: contents.length, last, more: lowest(runs) !== undefined };
}

function pageOfSeries(run: Run, series: KeySeries, most: number): Page {
  const count = Math.min(most, run.end - run.next);
  const last = count === 0 ? undefined : series.keyAt(run.next + count - 1);
  const contents = count === 0 ? [] : [series.writePage(run.next, count)];
  return { contents, count, last, more: run.next + count < run.end };
}

function runsBetween(bucket: Bucket, start: ByteString, end: ByteString): Run[] {
  const kept: Run = {
    next: bucket.firstFrom(start),
    end: bucket.firstFrom(end),
    keyAt: (place) => bucket.keys[place] ?? '',
    objectAt: (place) => bucket.get(bucket.keys[place] ?? ''),
  };
  const series = bucket.series.map((one) => ({
    next: one.firstFrom(start),
    end: one.firstFrom(end),
    keyAt: (place: number) => one.keyAt(place),
    objectAt: (place: number) => one.objectAt(place),
    series: one,
  }));
  return [kept, ...series];
}

function lowest(runs: readonly Run[]): Run | undefined {
  let found: Run | undefined;
  for (const run of runs) {
    if (run.next >= run.end) continue;
    if (found === undefined || run.keyAt(run.next) < found.keyAt(found.next)) found = run;
  }
  return found;
}

function formatObject(
  { key, etag, modified, content, headers }: StoredObject,
  encode: (key: ByteString) => string,
): string {
  const storageClass = headers['x-amz-storage-class'] ?? 'STANDARD';
  return (
    `<Contents><Key>${encode(key)}</Key><LastModified>${modified}</LastModified><ETag>&quot;${etag}&quot;</ETag>` +
    `<Size>${content.size}</Size><StorageClass>${storageClass}</StorageClass></Contents>`
  );
}

/** All unfinished uploads below a prefix, in order of key and age; pages by key-marker and upload-id-marker. */
export function listUploads(bucket: Bucket, prefix: ByteString, request: DoubleRequest): string {
  const { query } = request;
  const most = Math.min(Number(query.get('max-uploads') ?? 1000), 1000);
  const encode = query.get('encoding-type') === 'url' ? encodeForListing : escapeForXml;
  const marker = `${query.get('key-marker') ?? ''}\0${query.get('upload-id-marker') ?? '\u00ff'}`;
  const place = (upload: { key: ByteString; uploadId: string }) => `${upload.key}\0${upload.uploadId}`;
  const open = [...bucket.uploads.values()]
    .filter((upload) => upload.key.startsWith(prefix))
    .toSorted((a, b) => (place(a) < place(b) ? -1 : 1))
    .filter((upload) => !query.has('key-marker') || place(upload) > marker);
  const page = open.slice(0, most);
  const last = page.at(-1);
  const truncated = open.length > page.length && last !== undefined;
  const next = truncated
    ? `<NextKeyMarker>${encode(last.key)}</NextKeyMarker><NextUploadIdMarker>${last.uploadId}</NextUploadIdMarker>`
    : '';
  const uploads = page.map(
    ({ key, uploadId, initiated }) =>
      `<Upload><Key>${encode(key)}</Key><UploadId>${uploadId}</UploadId><Initiated>${initiated}</Initiated></Upload>`,
  );
  return (
    '<?xml version="1.0" encoding="UTF-8"?>\n<ListMultipartUploadsResult>' +
    `<Bucket>${request.bucket}</Bucket>${encode === encodeForListing ? '<EncodingType>url</EncodingType>' : ''}` +
    `<IsTruncated>${truncated}</IsTruncated>${next}${uploads.join('')}</ListMultipartUploadsResult>`
  );
}
