/** What copies of this machine are known between the same buckets, whatever their rules and options were. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { EarlierLedger } from '../../workers/copy/earlier.ts';
import { LocalStore } from '../../workers/copy/localstore.ts';
import { readStoresOfJob } from './jobfile.ts';
import { listRuns, LOCAL_STAGE } from './state.ts';
import type { LocalStores } from './stores.ts';

/**
 * Their ledgers, those of the job in `directory` first and each job's latest first, without those of the run `own`.
 * `base` has the directories of other jobs. Buckets are compared by who reads them; here stores have to be the same.
 */
export async function findEarlier(
  directory: string,
  base: string,
  stores: LocalStores,
  own: string,
): Promise<readonly EarlierLedger[]> {
  const others = (await readdir(base).catch(() => [])).map((name) => join(base, name));
  const ledgers: EarlierLedger[] = [];
  for (const job of new Set([directory, ...others])) {
    if (!(await isBetween(job, stores))) continue;
    for (const run of (await listRuns(job)).toReversed())
      if (run.directory !== own) ledgers.push({ results: new LocalStore(run.directory), stage: LOCAL_STAGE });
  }
  return ledgers;
}

async function isBetween(directory: string, { source, destination }: LocalStores): Promise<boolean> {
  // Whatever else lies there is nobody's job.
  const known = await readStoresOfJob(directory).catch(() => undefined);
  return (
    known !== undefined &&
    known.source.endpoint === source.endpoint &&
    known.destination.endpoint === destination.endpoint
  );
}
