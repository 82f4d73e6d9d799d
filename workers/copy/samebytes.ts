import { haveSameChecksum } from '../s3/checksums.ts';
import { headObject } from '../s3/objects.ts';
import type { DraftRow } from './draftfile.ts';
import type { CopyJob } from './job.ts';
import type { ExistingObject } from './join.ts';
import type { Sides } from './sides.ts';

/** The same bytes, as far as size and ETag can tell. */
export function isIdentical(
  row: { readonly size: number; readonly etag: string },
  object: { readonly size: number; readonly etag: string },
): boolean {
  return row.etag !== '' && row.size === object.size && row.etag === object.etag;
}

/** Whether a row's source and what is at its destination have a checksum of all their bytes in common. */
export async function haveSameBytes(
  job: CopyJob,
  sides: Sides,
  { row, there }: { readonly row: DraftRow; readonly there: ExistingObject },
  signal: AbortSignal,
): Promise<boolean> {
  const from = { bucket: job.source.bucket, key: row.source, checksums: true };
  const to = { bucket: job.destination.bucket, key: row.destination, checksums: true };
  const [source, destination] = await Promise.all([
    headObject(sides.source, from, signal),
    headObject(sides.destination, to, signal),
  ]);
  if (source?.etag !== row.etag || destination?.etag !== there.etag) return false;
  return haveSameChecksum(source, destination);
}
