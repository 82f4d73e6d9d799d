import { randomUUID } from 'node:crypto';
import { cleaningSignal } from './aborting.ts';
import type { S3Client } from './client.ts';
import { deleteObject, headObject, putObject } from './objects.ts';
import { probePrefix, type ProbePlace } from './probeplace.ts';

/**
 * Whether a key written to one side shows up on the other: then both are one store, whatever they are called.
 * The throw-away object is deleted again.
 */
export async function probeSameStore(
  client: S3Client,
  place: ProbePlace,
  source: { readonly client: S3Client; readonly bucket: string },
  signal: AbortSignal,
): Promise<boolean> {
  const key = `${probePrefix(place)}${randomUUID()}-same`;
  const { bucket } = place;
  const etag = await putObject(client, { bucket, key, body: Buffer.from(key) }, signal);
  try {
    const seen = await headObject(source.client, { bucket: source.bucket, key }, signal);
    return seen !== undefined && seen.etag === etag;
  } finally {
    await deleteObject(client, { bucket, key }, cleaningSignal(signal)).catch(() => undefined);
  }
}
