import { randomUUID } from 'node:crypto';
import type { KeyEquivalence } from '../contract/copyplan.ts';
import { cleaningSignal } from './aborting.ts';
import { allOrAbort } from './allof.ts';
import type { S3Client } from './client.ts';
import { copyObject } from './copies.ts';
import { S3Error } from './errors.ts';
import { abortMultipart, completeMultipart, createMultipart, uploadPart } from './multipart.ts';
import { deleteObject, headObject, putObject } from './objects.ts';
import { probePrefix, type ProbePlace } from './probeplace.ts';

/** What an endpoint was seen to do with throw-away objects. Stores that ignore a condition do so silently. */
export interface Capabilities {
  /** `x-amz-copy-source-if-match` is honoured: a changed source is refused. */
  readonly sourcePinned: boolean;
  /** `If-None-Match: *` is honoured on CopyObject: an existing destination is kept. */
  readonly createOnly: boolean;
  /** The same on PutObject. */
  readonly putCreateOnly: boolean;
  /** The same on CompleteMultipartUpload; false as well where nobody asked. */
  readonly completeCreateOnly: boolean;
  /** `If-Match` is honoured on DeleteObject. */
  readonly deleteIfMatch: boolean;
  /** Different keys that the store takes for one. */
  readonly aliases: KeyEquivalence;
}

const body = Buffer.from('ebbflow probe');
const wrongEtag = '00000000000000000000000000000000';

/** A store that was not asked is taken to honour nothing. */
export const NO_CAPABILITIES: Capabilities = {
  sourcePinned: false,
  createOnly: false,
  putCreateOnly: false,
  completeCreateOnly: false,
  deleteIfMatch: false,
  aliases: 'Exact',
};

/**
 * Finds out what the endpoint honours, with a few objects of a few bytes that are deleted again. `parts`: also what it
 * makes of uploads in parts, which takes four more requests.
 */
export async function probeCapabilities(
  client: S3Client,
  place: ProbePlace,
  { parts }: { readonly parts: boolean },
  signal: AbortSignal,
): Promise<Capabilities> {
  const { bucket } = place;
  // A with acute: one code point here, two in NFD.
  const key = `${probePrefix(place)}${randomUUID()}-K\u00e1`;
  const copy = `${key}-copy`;
  const unpinned = `${key}-unpinned`;
  const etag = await putObject(client, { bucket, key, body }, signal);
  const source = { bucket, key, etag };
  const wrong = { ...source, etag: wrongEtag };
  const made = new Set([key, copy, unpinned]);
  try {
    // At once is only what no answer of another one hangs on: these three have keys of their own.
    const [aliases, sourcePinned] = await allOrAbort(
      (stop) => [
        findAliases(client, bucket, key, stop),
        isRefused(copyObject(client, { source: wrong, bucket, key: unpinned }, stop)),
        copyObject(client, { source, bucket, key: copy }, stop),
      ],
      signal,
    );
    // In a bucket with versions, to delete what is not there would leave a trace.
    if (sourcePinned) made.delete(unpinned);
    const guarded = { source, bucket, key: copy, guard: { createOnly: true } };
    const createOnly = await isRefused(copyObject(client, guarded, signal));
    const completeCreateOnly = parts && (await isCompleteRefused(client, { bucket, key: copy }, signal));
    // Last: where they are not honoured, the copy is gone, and its source may have another ETag.
    const [putCreateOnly, deleteIfMatch] = await allOrAbort(
      (stop) => [
        isRefused(putObject(client, { bucket, key, body, createOnly: true }, stop)),
        isRefused(deleteObject(client, { bucket, key: copy, ifMatch: wrongEtag }, stop)),
      ],
      signal,
    );
    const honoured = { sourcePinned, createOnly, putCreateOnly, completeCreateOnly, deleteIfMatch };
    return { ...honoured, aliases };
  } finally {
    const cleaning = cleaningSignal(signal);
    await Promise.allSettled(Array.from(made, (one) => deleteObject(client, { bucket, key: one }, cleaning)));
  }
}

/** Writes a throw-away object, copies it on the server where that is asked for, and deletes both. @throws S3Error */
export async function probeCopy(
  client: S3Client,
  place: ProbePlace,
  what: { readonly copy: boolean },
  signal: AbortSignal,
): Promise<void> {
  const { bucket } = place;
  const key = `${probePrefix(place)}${randomUUID()}-again`;
  const copy = `${key}-copy`;
  const etag = await putObject(client, { bucket, key, body }, signal);
  try {
    if (what.copy) await copyObject(client, { source: { bucket, key, etag }, bucket, key: copy }, signal);
  } finally {
    if (what.copy) await deleteObject(client, { bucket, key: copy }, signal).catch(() => undefined);
    await deleteObject(client, { bucket, key }, signal).catch(() => undefined);
  }
}

/** Whether an upload in parts to a key that exists is kept from replacing it. The upload is aborted again. */
async function isCompleteRefused(
  client: S3Client,
  what: { readonly bucket: string; readonly key: string },
  signal: AbortSignal,
): Promise<boolean> {
  const attempt = async (): Promise<void> => {
    const upload = await createMultipart(client, what, signal);
    try {
      const part = await uploadPart(client, upload, { number: 1, body }, signal);
      await completeMultipart(client, { ...upload, createOnly: true }, [part], signal);
    } catch (error) {
      await abortMultipart(client, upload, AbortSignal.timeout(5_000)).catch(() => undefined);
      throw error;
    }
  };
  return isRefused(attempt());
}

async function findAliases(
  client: S3Client,
  bucket: string,
  key: string,
  signal: AbortSignal,
): Promise<Capabilities['aliases']> {
  const slash = key.lastIndexOf('/');
  const directory = key.slice(0, slash);
  const name = key.slice(slash + 1);
  const isThere = async (variant: string, stop: AbortSignal): Promise<boolean> => {
    try {
      return (await headObject(client, { bucket, key: variant }, stop)) !== undefined;
    } catch (error) {
      // Some stores refuse a key such as `a//b` altogether.
      if (error instanceof S3Error && error.status === 400 && error.retryClass === 'permanent') return false;
      throw error;
    }
  };
  const [posix, caseless, composed] = await allOrAbort(
    (stop) => [
      isThere(`${directory}//${name}`, stop),
      isThere(`${directory}/${name.toLowerCase()}`, stop),
      isThere(`${directory}/${name.normalize('NFD')}`, stop),
    ],
    signal,
  );
  // Case is taken to include composition: to compare too loosely costs a refusal, to compare too strictly an object. What
  // would cost more than that, to take an object for copied, asks for keys that are one to any such store.
  if (caseless) return posix ? 'PosixCaseInsensitive' : 'CaseInsensitive';
  if (composed) return posix ? 'PosixNFC' : 'NFC';
  return posix ? 'Posix' : 'Exact';
}

async function isRefused(attempt: Promise<unknown>): Promise<boolean> {
  try {
    await attempt;
    return false;
  } catch (error) {
    if (error instanceof S3Error && (error.status === 412 || error.code === 'PreconditionFailed'))
      return true;
    // A store that does not know the condition may refuse it as such: then it is not to be used.
    // The same goes for credentials that may not delete.
    if (error instanceof S3Error && (error.status === 501 || error.code === 'AccessDenied')) return false;
    throw error;
  }
}
