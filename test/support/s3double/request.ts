import { decodePercent, toText, type ByteString } from './bytestring.ts';

export type Operation =
  | 'AbortMultipartUpload'
  | 'CompleteMultipartUpload'
  | 'CopyObject'
  | 'CreateMultipartUpload'
  | 'DeleteObject'
  | 'GetObject'
  | 'GetObjectTagging'
  | 'HeadObject'
  | 'ListMultipartUploads'
  | 'ListObjectsV2'
  | 'PutObject'
  | 'UploadPart'
  | 'UploadPartCopy'
  | 'Unknown';

/** A request as the double understands it. Addresses are path-style. */
export interface DoubleRequest {
  readonly operation: Operation;
  readonly bucket: string;
  /** Empty for requests about a bucket. */
  readonly key: ByteString;
  readonly query: ReadonlyMap<string, ByteString>;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

const readers = new Set<Operation>([
  'GetObject',
  'GetObjectTagging',
  'HeadObject',
  'ListMultipartUploads',
  'ListObjectsV2',
]);

export function isRead(operation: Operation): boolean {
  return readers.has(operation);
}

export function parseRequest(
  method: string,
  url: string,
  headers: DoubleRequest['headers'],
  body: Buffer,
): DoubleRequest {
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  const slash = path.indexOf('/', 1);
  const bucket = decodePercent(path.slice(1, slash < 0 ? undefined : slash));
  const key = slash < 0 ? '' : decodePercent(path.slice(slash + 1));
  const query = new Map<string, ByteString>();
  if (mark >= 0) {
    for (const pair of url.slice(mark + 1).split('&')) {
      const equals = pair.indexOf('=');
      const name = equals < 0 ? pair : pair.slice(0, equals);
      query.set(decodePercent(name), equals < 0 ? '' : decodePercent(pair.slice(equals + 1)));
    }
  }
  const copying = headers['x-amz-copy-source'] !== undefined;
  return { operation: operationOf(method, key, query, copying), bucket, key, query, headers, body };
}

function operationOf(
  method: string,
  key: ByteString,
  query: ReadonlyMap<string, string>,
  copying: boolean,
): Operation {
  if (key === '') {
    if (method !== 'GET') return 'Unknown';
    if (query.has('uploads')) return 'ListMultipartUploads';
    return query.get('list-type') === '2' ? 'ListObjectsV2' : 'Unknown';
  }
  if (query.has('uploads')) return method === 'POST' ? 'CreateMultipartUpload' : 'Unknown';
  if (query.has('tagging')) return method === 'GET' ? 'GetObjectTagging' : 'Unknown';
  if (query.has('uploadId')) {
    if (method === 'PUT') return copying ? 'UploadPartCopy' : 'UploadPart';
    if (method === 'POST') return 'CompleteMultipartUpload';
    return method === 'DELETE' ? 'AbortMultipartUpload' : 'Unknown';
  }
  if (method === 'PUT') return copying ? 'CopyObject' : 'PutObject';
  if (method === 'GET') return 'GetObject';
  if (method === 'HEAD') return 'HeadObject';
  return method === 'DELETE' ? 'DeleteObject' : 'Unknown';
}

/** A header's value, undefined where there is none. */
export function headerOf({ headers }: DoubleRequest, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

/** Where a copy's source is. The header may start with a slash. */
export function copySourceOf(request: DoubleRequest): { bucket: string; key: ByteString } {
  const header = (headerOf(request, 'x-amz-copy-source') ?? '').replace(/^\//, '');
  const slash = header.indexOf('/');
  return { bucket: decodePercent(header.slice(0, slash)), key: decodePercent(header.slice(slash + 1)) };
}

/** `bytes=first-last`, as numbers; undefined where there is none. */
export function rangeOf(
  request: DoubleRequest,
  name: 'range' | 'x-amz-copy-source-range',
): { first: number; last: number } | undefined {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headerOf(request, name) ?? '') ?? [];
  return first === undefined || last === undefined ? undefined : { first: Number(first), last: Number(last) };
}

/** For tests and messages. */
export function sayRequest(request: DoubleRequest): string {
  return `${request.operation} ${request.bucket}/${toText(request.key)}`;
}
