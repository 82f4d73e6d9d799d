/** The first rows of a plan whose key changes. */
import type { PlanIndex } from '../../workers/contract/copyplan.ts';
import { isRenamed } from '../../workers/copy/drafts.ts';
import type { CopyJob } from '../../workers/copy/job.ts';
import { readShard } from '../../workers/copy/planstore.ts';
import type { ResultsStore } from '../../workers/copy/results.ts';
import type { Rename } from './report.ts';

const shown = 10;

/** From the first shard alone, which is enough for a look. */
export async function firstRenames(
  results: ResultsStore,
  stage: string,
  index: PlanIndex,
  job: CopyJob,
): Promise<Rename[]> {
  const [shard] = index.shards;
  if (shard === undefined) return [];
  const signal = AbortSignal.timeout(60_000);
  const rows = await readShard(results, stage, await results.list(stage, signal), shard, signal);
  return rows
    .filter((row) => row.action === 'Copy' && isRenamed(row, job))
    .slice(0, shown)
    .map(({ source, destination }) => ({ source, destination }));
}
