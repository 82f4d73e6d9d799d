import { allOf } from './allof.ts';
import type { S3Client } from './client.ts';
import { S3Error } from './errors.ts';
import { abortMultipart } from './multipart.ts';
import { listObjects } from './listpage.ts';
import { deleteObject } from './objects.ts';
import { listUploads } from './uploads.ts';

/** Where throw-away objects go: a bucket, a prefix that may be written to, and who makes them. */
export interface ProbePlace {
  readonly bucket: string;
  readonly prefix: string;
  /** Names the objects' maker, so that what it leaves behind when it is killed can be found again. */
  readonly owner: string;
}

/**
 * The common prefix of an owner's throw-away keys: in the prefix's last directory (a file store needs a directory to
 * show how it treats paths), or at the top where the prefix is so long that nothing fits below it.
 */
export function probePrefix({ prefix, owner }: ProbePlace): string {
  const directory = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  const parent = Buffer.byteLength(directory) > 700 ? '' : directory;
  return `${parent}.ebbflow-probe-${owner}/`;
}

/** Whether a key is somebody's throw-away object. Owners' names start with the UID of a run. */
export function isProbeKey(key: string): boolean {
  return key.includes('.ebbflow-probe-') && /(?:^|\/)\.ebbflow-probe-[0-9a-f]{8}-[^/]+\/[^/]+$/.test(key);
}

/** Deletes what probes of this owner left behind. Not to be called while one of them may be going on. */
export async function sweepProbes(client: S3Client, place: ProbePlace, signal: AbortSignal): Promise<void> {
  const { bucket } = place;
  const prefix = probePrefix(place);
  const objects = async (): Promise<void> => {
    const page = await listObjects(client, { bucket, prefix }, signal);
    for (const { key } of page.objects) await deleteObject(client, { bucket, key }, signal);
  };
  const uploads = async (): Promise<void> => {
    try {
      for await (const upload of listUploads(client, { bucket, prefix }, signal))
        await abortMultipart(client, upload, signal);
    } catch (error) {
      // Not every store has such a list, and not all credentials may see it.
      if (!(error instanceof S3Error)) throw error;
    }
  };
  await allOf([objects(), uploads()]);
}
