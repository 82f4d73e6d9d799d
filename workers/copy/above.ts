import type { KeyEquivalence } from '../contract/copyplan.ts';
import type { S3Client } from '../s3/client.ts';
import { S3Error } from '../s3/errors.ts';
import type { ListedObject } from '../s3/listing.ts';
import { headObject } from '../s3/objects.ts';
import { ancestorsOf, isPath, normaliseKey } from './equivalence.ts';
import { listPages } from './list.ts';

interface Destination {
  readonly bucket: string;
  readonly prefix: string;
}

/** The listing of a destination; where keys are paths, first the objects above all of it, which no prefix finds. */
export async function* listDestination(
  client: S3Client,
  destination: Destination,
  equivalence: KeyEquivalence,
  signal: AbortSignal,
): AsyncGenerator<readonly ListedObject[], void, undefined> {
  if (isPath(equivalence)) yield await findAbove(client, destination, signal);
  yield* listPages(client, destination, signal);
}

/** Objects in the place of a directory that every key below the prefix needs where keys are paths. */
export async function findAbove(
  client: S3Client,
  { bucket, prefix }: Destination,
  signal: AbortSignal,
): Promise<ListedObject[]> {
  const found: ListedObject[] = [];
  for (const key of ancestorsOf(normaliseKey(`${prefix}x`, 'Posix').path)) {
    const head = await headObject(client, { bucket, key }, signal).catch(hideDenied);
    if (head === undefined) continue;
    found.push({ key, size: head.size, etag: head.etag, lastModified: '', storageClass: undefined });
  }
  return found;
}

/** Credentials that may see nothing above their own prefix are no reason to fail. */
function hideDenied(error: unknown): undefined {
  if (error instanceof S3Error && error.code === 'AccessDenied') return undefined;
  throw error;
}
