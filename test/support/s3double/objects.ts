import { answerEmpty, answerXml, type Answer } from './answer.ts';
import type { Bucket, StoredObject } from './bucket.ts';
import { decodePercent, escapeForXml } from './bytestring.ts';
import { md5, receiveContent } from './content.ts';
import { Refusal } from './refusal.ts';
import { copySourceOf, headerOf, rangeOf, type DoubleRequest } from './request.ts';
import type { Condition } from './setup.ts';
import type { Store } from './store.ts';

const copyLimit = 5 * 1024 ** 3;
const encryption = 'x-amz-server-side-encryption';
const kept =
  /^(?:x-amz-meta-.*|x-amz-storage-class|cache-control|content-(?:disposition|encoding|language|type)|expires)$/;

/** The headers of a request that become part of the object. */
export function attributesOf(request: DoubleRequest): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (kept.test(name) && value !== undefined) attributes[name] = String(value);
  }
  return attributes;
}

/** Applies `If-None-Match: *` and `If-Match` to what is at the destination, where they are honoured. */
export function guardDestination(
  store: Store,
  bucket: Bucket,
  request: DoubleRequest,
  condition: Condition,
): void {
  const none = headerOf(request, 'if-none-match');
  const match = headerOf(request, 'if-match');
  if ((none === undefined && match === undefined) || !store.honours(condition)) return;
  const there = store.find(bucket, request.key);
  if (none === '*' && there !== undefined) throw new Refusal(412, 'PreconditionFailed');
  if (match !== undefined && there?.etag !== unquote(match)) throw new Refusal(412, 'PreconditionFailed');
}

export function unquote(etag: string): string {
  return etag.replaceAll('"', '');
}

/** @throws Refusal when a body is not what its `content-md5` says. */
export function checkMd5(request: DoubleRequest): void {
  const said = headerOf(request, 'content-md5');
  if (said !== undefined && said !== Buffer.from(md5(request.body), 'hex').toString('base64'))
    throw new Refusal(400, 'BadDigest');
}

export function putObject(store: Store, bucket: Bucket, request: DoubleRequest): Answer {
  guardDestination(store, bucket, request, 'putIfNoneMatch');
  checkMd5(request);
  const { key, body } = request;
  const tagging = headerOf(request, 'x-amz-tagging') ?? '';
  const content = receiveContent(body);
  const object = store.write(bucket, { key, content, headers: attributesOf(request), tagging });
  return answerEmpty(200, { etag: `"${object.etag}"` });
}

/** The source of a copy, pinned as the request asks. */
export function readSource(store: Store, request: DoubleRequest): StoredObject {
  const { bucket, key } = copySourceOf(request);
  const object = store.read(store.bucket(bucket), key);
  const pin = headerOf(request, 'x-amz-copy-source-if-match');
  if (pin !== undefined && store.honours('copySourceIfMatch') && unquote(pin) !== object.etag)
    throw new Refusal(412, 'PreconditionFailed');
  return object;
}

export function copyObject(store: Store, bucket: Bucket, request: DoubleRequest): Answer {
  const source = readSource(store, request);
  guardDestination(store, bucket, request, 'copyIfNoneMatch');
  if (source.content.size > copyLimit) throw new Refusal(400, 'InvalidRequest', 'larger than 5 GiB');
  const { key } = request;
  const replace = headerOf(request, 'x-amz-metadata-directive') === 'REPLACE';
  const storageClass = headerOf(request, 'x-amz-storage-class');
  const headers = { ...(replace ? attributesOf(request) : source.headers) };
  delete headers['x-amz-storage-class'];
  if (storageClass !== undefined) headers['x-amz-storage-class'] = storageClass;
  const { content, tagging } = source;
  // The ETag of one piece: an upload in parts, or what had a key of its own, gets another one when it is copied whole.
  const other = source.etag.includes('-') || encryption in headers;
  delete headers[encryption];
  const etag = other ? {} : { etag: source.etag };
  const object = store.write(bucket, { key, content, headers, tagging, ...etag });
  return answerXml(
    `<CopyObjectResult><LastModified>${object.modified}</LastModified><ETag>&quot;${object.etag}&quot;</ETag></CopyObjectResult>`,
  );
}

export function readObject(store: Store, bucket: Bucket, request: DoubleRequest): Answer {
  const object = store.read(bucket, request.key);
  const match = headerOf(request, 'if-match');
  if (match !== undefined && store.honours('getIfMatch') && unquote(match) !== object.etag)
    throw new Refusal(412, 'PreconditionFailed');
  const { size } = object.content;
  const range = rangeOf(request, 'range');
  if (range !== undefined && range.first >= size) throw new Refusal(416, 'InvalidRange');
  const first = range?.first ?? 0;
  const last = Math.min(range?.last ?? size - 1, size - 1);
  const headers: Record<string, string> = {
    ...object.headers,
    etag: `"${object.etag}"`,
    'last-modified': new Date(object.modified).toUTCString(),
    'content-length': String(last - first + 1),
  };
  if (range !== undefined) headers['content-range'] = `bytes ${first}-${last}/${size}`;
  const body = request.operation === 'HeadObject' || size === 0 ? '' : object.content.read(first, last);
  return { status: range === undefined ? 200 : 206, headers, body };
}

export function deleteObject(store: Store, bucket: Bucket, request: DoubleRequest): Answer {
  const there = store.find(bucket, request.key);
  const match = headerOf(request, 'if-match');
  if (match !== undefined && store.honours('deleteIfMatch')) {
    if (there === undefined) throw new Refusal(404, 'NoSuchKey');
    if (unquote(match) !== there.etag) throw new Refusal(412, 'PreconditionFailed');
  }
  if (there !== undefined) store.delete(bucket, request.key);
  return answerEmpty(204);
}

export function readTagging(store: Store, bucket: Bucket, request: DoubleRequest): Answer {
  const { tagging } = store.read(bucket, request.key);
  const tags = tagging === '' ? [] : tagging.split('&').map((tag) => tag.split('='));
  const set = tags.map(
    ([key = '', value = '']) => `<Tag><Key>${readText(key)}</Key><Value>${readText(value)}</Value></Tag>`,
  );
  return answerXml(`<Tagging><TagSet>${set.join('')}</TagSet></Tagging>`);
}

function readText(encoded: string): string {
  return escapeForXml(decodePercent(encoded));
}
