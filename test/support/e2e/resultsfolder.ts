/** The store of the test cluster keeps each bucket as a folder: what no S3 request can do to it, a test does there. */
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Bed } from './bed.ts';
import { NAMESPACE, RESULTS_BUCKET } from './names.ts';

/** Where the store of the cluster keeps its buckets. */
export function storeFolder({ cluster }: Bed): string {
  return join(dirname(cluster.logDirectory), 's3');
}

/** Makes the store refuse the record of this run, and nothing else, until the returned function is called. */
export async function refuseRecord(bed: Bed, runUID: string): Promise<() => Promise<void>> {
  // No object can be written where a directory is.
  const place = join(storeFolder(bed), RESULTS_BUCKET, 'v1/e2e', NAMESPACE, runUID, 'run.json');
  await mkdir(place, { recursive: true });
  return () => rm(place, { recursive: true, force: true });
}
