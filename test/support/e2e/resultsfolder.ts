/** The store of the test cluster keeps each bucket as a folder: what no S3 request can do to it, a test does there. */
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from '../../cluster/exec.ts';
import type { Bed } from './bed.ts';
import { NAMESPACE, RESULTS_BUCKET } from './names.ts';

/** Where the store of the cluster keeps its buckets. */
function storeFolder({ cluster }: Bed): string {
  return join(dirname(cluster.logDirectory), 's3');
}

const runFolder = (bed: Bed, runUID: string): string =>
  join(storeFolder(bed), RESULTS_BUCKET, 'v1/e2e', NAMESPACE, runUID);

/**
 * The store has nothing of these runs any more and refuses whatever is written to them, until the returned function is
 * called; all other runs keep it. Both happen in one moment, whoever is writing.
 */
export async function takeAway(bed: Bed, runUIDs: readonly string[]): Promise<() => Promise<void>> {
  const folders = runUIDs.map((uid) => runFolder(bed, uid));
  for (const folder of folders) {
    await mkdir(folder, { recursive: true });
    await run('mount', ['-t', 'tmpfs', '-o', 'ro', 'taken-away', folder], {});
  }
  return async () => {
    for (const folder of folders.splice(0)) await run('umount', ['--lazy', folder], {});
  };
}

/** Makes the store refuse the record of this run, and nothing else, until the returned function is called. */
export async function refuseRecord(bed: Bed, runUID: string): Promise<() => Promise<void>> {
  // No object can be written where a directory is.
  const place = join(runFolder(bed, runUID), 'run.json');
  await mkdir(place, { recursive: true });
  return () => rm(place, { recursive: true, force: true });
}
