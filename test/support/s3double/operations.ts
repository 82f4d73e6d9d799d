import { answerXml, type Answer } from './answer.ts';
import type { ByteString } from './bytestring.ts';
import { listObjects, listUploads } from './listing.ts';
import { abortUpload, completeUpload, createUpload, uploadPart, uploadPartCopy } from './multipart.ts';
import { copyObject, deleteObject, putObject, readObject, readTagging } from './objects.ts';
import { Refusal } from './refusal.ts';
import type { DoubleRequest } from './request.ts';
import type { Store } from './store.ts';

/** Does what a request asks. @throws Refusal. */
export function perform(store: Store, request: DoubleRequest): Answer {
  const bucket = store.bucket(request.bucket);
  switch (request.operation) {
    case 'AbortMultipartUpload':
      return abortUpload(bucket, request);
    case 'CompleteMultipartUpload':
      return completeUpload(store, bucket, request);
    case 'CopyObject':
      return copyObject(store, bucket, request);
    case 'CreateMultipartUpload':
      return createUpload(store, bucket, request);
    case 'DeleteObject':
      return deleteObject(store, bucket, request);
    case 'GetObject':
    case 'HeadObject':
      return readObject(store, bucket, request);
    case 'GetObjectTagging':
      return readTagging(store, bucket, request);
    case 'ListMultipartUploads':
      return answerXml(listUploads(bucket, prefixOf(store, request), request));
    case 'ListObjectsV2':
      return answerXml(listObjects(bucket, prefixOf(store, request), request));
    case 'PutObject':
      return putObject(store, bucket, request);
    case 'UploadPart':
      return uploadPart(bucket, request);
    case 'UploadPartCopy':
      return uploadPartCopy(store, bucket, request);
    default:
      throw new Refusal(501, 'NotImplemented', 'the double does not know this request');
  }
}

/** What keys of a listing begin with. */
function prefixOf(store: Store, { query }: DoubleRequest): ByteString {
  return store.honours('listPrefix') ? (query.get('prefix') ?? '') : '';
}
