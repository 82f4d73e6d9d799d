import type { S3Client, S3Request } from './client.ts';
import { copyTimeout, errorInSuccess, pinHeaders, readCopyResult, type CopySource } from './copies.ts';
import { badResponse } from './errors.ts';
import type { ByteRange } from './objects.ts';
import { elementText, escapeXml, unquoteEtag } from './xml.ts';

/** An upload in progress. */
export interface Upload {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
}

/** One finished part. Numbers start at 1. */
export interface UploadedPart {
  readonly number: number;
  readonly etag: string;
}

const partTimeout = 15 * 60_000;

/** Starts a multipart upload with the object's attributes (`content-type`, `x-amz-meta-…`, `x-amz-tagging`). */
export async function createMultipart(
  client: S3Client,
  what: { bucket: string; key: string; headers?: Readonly<Record<string, string>> },
  signal: AbortSignal,
): Promise<Upload> {
  const { bucket, key } = what;
  const request: S3Request = {
    operation: 'CreateMultipartUpload',
    method: 'POST',
    bucket,
    key,
    query: [['uploads', '']],
    headers: what.headers ?? {},
  };
  return client.request(
    request,
    (response) => {
      const uploadId = elementText(response.body.toString('utf8'), 'UploadId');
      if (uploadId === undefined) throw badResponse(request, response.status, 'no UploadId in the answer');
      return { bucket, key, uploadId };
    },
    signal,
  );
}

/** Uploads one part from memory; it is kept by the caller, so that a retry can send it again. */
export async function uploadPart(
  client: S3Client,
  upload: Upload,
  part: {
    number: number;
    body: Uint8Array;
    /** Base64 MD5 of the body, which the store then checks. */
    contentMd5?: string;
  },
  signal: AbortSignal,
): Promise<UploadedPart> {
  const headers: Record<string, string> =
    part.contentMd5 === undefined ? {} : { 'content-md5': part.contentMd5 };
  const request = { ...partRequest('UploadPart', upload, part.number), body: part.body, headers };
  return client.request(
    request,
    (response) => ({ number: part.number, etag: unquoteEtag(response.headers['etag'] ?? '') }),
    signal,
  );
}

/** Copies a range of a pinned source as one part. */
export async function uploadPartCopy(
  client: S3Client,
  upload: Upload,
  part: { number: number; source: CopySource; range: ByteRange },
  signal: AbortSignal,
): Promise<UploadedPart> {
  const { first, last } = part.range;
  const headers = { ...pinHeaders(part.source), 'x-amz-copy-source-range': `bytes=${first}-${last}` };
  const timeout = copyTimeout(last - first + 1);
  const request = { ...partRequest('UploadPartCopy', upload, part.number), headers, timeout };
  return client.request(
    request,
    (response) => ({ number: part.number, etag: readCopyResult(request, response) }),
    signal,
  );
}

/** Puts the parts together and returns the object's ETag. With `createOnly` an existing object makes it fail. */
export async function completeMultipart(
  client: S3Client,
  upload: Upload & { readonly createOnly?: boolean },
  parts: readonly UploadedPart[],
  signal: AbortSignal,
): Promise<string> {
  const ordered = parts.toSorted((a, b) => a.number - b.number);
  const list = ordered.map(
    (part) => `<Part><PartNumber>${part.number}</PartNumber><ETag>"${escapeXml(part.etag)}"</ETag></Part>`,
  );
  const request: S3Request = {
    operation: 'CompleteMultipartUpload',
    method: 'POST',
    bucket: upload.bucket,
    key: upload.key,
    query: [['uploadId', upload.uploadId]],
    headers: upload.createOnly === true ? { 'if-none-match': '*' } : {},
    body: Buffer.from(`<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`),
    timeout: partTimeout,
  };
  return client.request(
    request,
    (response) => {
      const text = response.body.toString('utf8');
      if (text.includes('<Error>')) throw errorInSuccess(request, response, text);
      const etag = elementText(text, 'ETag');
      if (etag === undefined) throw badResponse(request, response.status, 'success without a result');
      return unquoteEtag(etag);
    },
    signal,
  );
}

/** Drops an upload and its parts. */
export async function abortMultipart(client: S3Client, upload: Upload, signal: AbortSignal): Promise<void> {
  const { bucket, key, uploadId } = upload;
  await client.request(
    { operation: 'AbortMultipartUpload', method: 'DELETE', bucket, key, query: [['uploadId', uploadId]] },
    () => undefined,
    signal,
  );
}

function partRequest(operation: string, upload: Upload, number: number): S3Request {
  return {
    operation,
    method: 'PUT',
    bucket: upload.bucket,
    key: upload.key,
    query: [
      ['partNumber', String(number)],
      ['uploadId', upload.uploadId],
    ],
    timeout: partTimeout,
  };
}
