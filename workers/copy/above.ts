import type { KeyEquivalence } from '../contract/copyplan.ts';
import { allOrAbort } from '../s3/allof.ts';
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

/**
 * The listing of a destination, which may have been begun before; where keys are paths, first the objects above all of
 * it, which no prefix finds.
 */
export async function* listDestination(
  client: S3Client,
  destination: Destination,
  known: {
    readonly equivalence: KeyEquivalence;
    readonly begun: ReturnType<typeof listPages> | undefined;
  },
  signal: AbortSignal,
): AsyncGenerator<readonly ListedObject[], void, undefined> {
  if (isPath(known.equivalence)) yield await findAbove(client, destination, signal);
  yield* known.begun ?? listPages(client, destination, signal);
}

/** Objects in the place of a directory that every key below the prefix needs where keys are paths. */
export async function findAbove(
  client: S3Client,
  { bucket, prefix }: Destination,
  signal: AbortSignal,
): Promise<ListedObject[]> {
  const look = async (key: string, stop: AbortSignal): Promise<ListedObject | undefined> => {
    const head = await headObject(client, { bucket, key }, stop).catch(hideDenied);
    if (head === undefined) return undefined;
    return { key, size: head.size, etag: head.etag, lastModified: '', storageClass: undefined };
  };
  const ancestors = ancestorsOf(normaliseKey(`${prefix}x`, 'Posix').path);
  const found = await allOrAbort((stop) => Array.from(ancestors, (key) => look(key, stop)), signal);
  return found.filter((object) => object !== undefined);
}

/** Credentials that may see nothing above their own prefix are no reason to fail. */
function hideDenied(error: unknown): undefined {
  if (error instanceof S3Error && error.code === 'AccessDenied') return undefined;
  throw error;
}
