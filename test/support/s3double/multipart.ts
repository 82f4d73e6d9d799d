import { answerEmpty, answerXml, type Answer } from './answer.ts';
import type { Bucket, StoredUpload } from './bucket.ts';
import { digestOf, joinContents, md5, receiveContent, sliceContent } from './content.ts';
import { attributesOf, checkMd5, guardDestination, readSource } from './objects.ts';
import { Refusal } from './refusal.ts';
import { headerOf, rangeOf, type DoubleRequest } from './request.ts';
import type { Store } from './store.ts';

const smallestPart = 5 * 1024 ** 2;
const largestPart = 5 * 1024 ** 3;

export function createUpload(store: Store, bucket: Bucket, request: DoubleRequest): Answer {
  const tagging = headerOf(request, 'x-amz-tagging') ?? '';
  const upload = store.startUpload(bucket, { key: request.key, headers: attributesOf(request), tagging });
  return answerXml(
    `<InitiateMultipartUploadResult><UploadId>${upload.uploadId}</UploadId></InitiateMultipartUploadResult>`,
  );
}

function findUpload(bucket: Bucket, request: DoubleRequest): StoredUpload {
  const upload = bucket.uploads.get(request.query.get('uploadId') ?? '');
  if (upload?.key !== request.key) throw new Refusal(404, 'NoSuchUpload');
  return upload;
}

function partNumber(request: DoubleRequest): number {
  const number = Number(request.query.get('partNumber'));
  if (!Number.isInteger(number) || number < 1 || number > 10_000)
    throw new Refusal(400, 'InvalidArgument', 'partNumber');
  return number;
}

export function uploadPart(bucket: Bucket, request: DoubleRequest): Answer {
  const upload = findUpload(bucket, request);
  checkMd5(request);
  const etag = md5(request.body);
  upload.parts.set(partNumber(request), { content: receiveContent(request.body), etag });
  return answerEmpty(200, { etag: `"${etag}"` });
}

export function uploadPartCopy(store: Store, bucket: Bucket, request: DoubleRequest): Answer {
  const upload = findUpload(bucket, request);
  const source = readSource(store, request);
  const { size } = source.content;
  const { first, last } = rangeOf(request, 'x-amz-copy-source-range') ?? { first: 0, last: size - 1 };
  if (last >= size || first > last)
    throw new Refusal(400, 'InvalidArgument', 'the range is not in the source');
  const content = sliceContent(source.content, first, last);
  if (content.size > largestPart) throw new Refusal(400, 'InvalidRequest', 'a part is larger than 5 GiB');
  const etag = digestOf(content);
  upload.parts.set(partNumber(request), { content, etag });
  return answerXml(`<CopyPartResult><ETag>&quot;${etag}&quot;</ETag></CopyPartResult>`);
}

export function completeUpload(store: Store, bucket: Bucket, request: DoubleRequest): Answer {
  const upload = findUpload(bucket, request);
  guardDestination(store, bucket, request, 'completeIfNoneMatch');
  const named = [
    ...request.body
      .toString('utf8')
      .matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>(?:"|&quot;)?([^<"&]*)(?:"|&quot;)?<\/ETag>/g),
  ];
  if (named.length === 0) throw new Refusal(400, 'MalformedXML');
  const parts = named.map(([, number, etag], place) => {
    const part = upload.parts.get(Number(number));
    if (part === undefined || part.etag !== etag) throw new Refusal(400, 'InvalidPart');
    if (place > 0 && Number(named[place - 1]?.[1]) >= Number(number))
      throw new Refusal(400, 'InvalidPartOrder');
    if (place < named.length - 1 && part.content.size < smallestPart)
      throw new Refusal(400, 'EntityTooSmall');
    return part;
  });
  const sums = Buffer.concat(parts.map((part) => Buffer.from(part.etag, 'hex')));
  const etag = `${md5(sums)}-${parts.length}`;
  const content = joinContents(parts.map((part) => part.content));
  const { key, headers, tagging } = upload;
  store.write(bucket, { key, content, etag, headers, tagging });
  bucket.uploads.delete(upload.uploadId);
  return answerXml(
    `<CompleteMultipartUploadResult><ETag>&quot;${etag}&quot;</ETag></CompleteMultipartUploadResult>`,
  );
}

export function abortUpload(bucket: Bucket, request: DoubleRequest): Answer {
  bucket.uploads.delete(findUpload(bucket, request).uploadId);
  return answerEmpty(204);
}
