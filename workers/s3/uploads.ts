import type { S3Client, S3Request } from './client.ts';
import type { QueryParameter } from './encode.ts';
import type { Upload } from './multipart.ts';
import type { WireResponse } from './exchange.ts';
import { badResponse } from './errors.ts';
import { elementText } from './xml.ts';

/** An upload that is neither completed nor aborted. */
export interface OpenUpload extends Upload {
  /** As the store's clock said it. */
  readonly initiated: Date;
}

/** All unfinished uploads below a prefix, page by page. What is not whole, or does not advance, is an error, never an end. */
export async function* listUploads(
  client: S3Client,
  what: { readonly bucket: string; readonly prefix: string },
  signal: AbortSignal,
): AsyncGenerator<OpenUpload, void, undefined> {
  const { bucket, prefix } = what;
  let marker: readonly QueryParameter[] = [];
  let last: readonly string[] = [];
  for (;;) {
    const request: S3Request = {
      operation: 'ListMultipartUploads',
      method: 'GET',
      bucket,
      query: [['uploads', ''], ['encoding-type', 'url'], ['prefix', prefix], ...marker],
    };
    const page = await client.request(request, (response) => readPage(request, response), signal);
    // A store that does not heed the prefix shows others' uploads as well.
    yield* page.uploads.filter((upload) => upload.key.startsWith(prefix));
    if (page.next === undefined) return;
    const [key, uploadId] = page.next;
    if (key === last[0] && uploadId === last[1])
      throw badResponse(request, 200, 'the list of uploads does not advance: the store repeats its marker');
    last = page.next;
    marker = [
      ['key-marker', key],
      ['upload-id-marker', uploadId],
    ];
  }
}

interface Page {
  readonly uploads: readonly OpenUpload[];
  /** Where the next page begins: key and ID of the last upload of this one. */
  readonly next: readonly [key: string, uploadId: string] | undefined;
}

function readPage(request: S3Request, response: WireResponse): Page {
  const bad = (detail: string): Error => badResponse(request, response.status, detail);
  const xml = response.body.toString('utf8');
  if (!xml.includes('</ListMultipartUploadsResult>')) throw bad('the list of uploads is not complete');
  const decode = xml.includes('<EncodingType>url</EncodingType>') ? decodeKey : (text: string) => text;
  const [head = '', ...blocks] = xml.split('<Upload>');
  const uploads = blocks.flatMap((block) => {
    const key = elementText(block, 'Key');
    const uploadId = elementText(block, 'UploadId');
    const initiated = new Date(elementText(block, 'Initiated') ?? '');
    if (key === undefined || uploadId === undefined || Number.isNaN(initiated.getTime()))
      throw bad('the list holds an upload without key, ID or time');
    const decoded = decode(key);
    return decoded === undefined ? [] : { bucket: request.bucket, key: decoded, uploadId, initiated };
  });
  const around = head + (blocks.at(-1)?.split('</Upload>')[1] ?? '');
  if (elementText(around, 'IsTruncated') !== 'true') return { uploads, next: undefined };
  const key = elementText(around, 'NextKeyMarker');
  const uploadId = elementText(around, 'NextUploadIdMarker');
  const marker = key === undefined ? undefined : decode(key);
  if (marker === undefined || uploadId === undefined)
    throw bad('the list has more pages but does not say where');
  return { uploads, next: [marker, uploadId] };
}

/** Undefined for a key that is not UTF-8: that is somebody else's. */
function decodeKey(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
