import type { PlanIndex, PlanRow } from '../contract/copyplan.ts';
import { ledgerDoneKey } from '../contract/keys.ts';
import { shardDone, type LedgerRow, type ShardDone } from '../contract/ledger.ts';
import type { ListedObject } from '../s3/listing.ts';
import type { Place } from './job.ts';
import { readLedger, type RecordedRows } from './ledger.ts';
import { readPlanIndex, readShard } from './planstore.ts';
import { PlanRefused } from './problems.ts';
import type { ReadableResults } from './results.ts';
import type { SourceInput } from './sources.ts';

/** Where the ledger of a source is, and what it calls the store of that source. */
export interface SourceLedger {
  readonly results: ReadableResults;
  readonly stage: string;
  readonly store: string;
}

/** The objects under the source's prefix that an earlier copy wrote or found in place. */
export async function* readLedgerOf(
  { job }: Pick<SourceInput, 'job'>,
  { results, stage, store }: SourceLedger,
  signal: AbortSignal,
): AsyncGenerator<readonly ListedObject[], void, undefined> {
  const existing = await results.list(stage, signal);
  const index = await readPlanIndex(results, stage, existing, signal);
  if (index === undefined)
    throw new PlanRefused(`stage ${stage} has no plan: copy.source.ledgerOf needs a copy stage`);
  refuseElsewhere({ ...job.source, store }, stage, index);
  for (const shard of index.shards) {
    const doneKey = ledgerDoneKey(stage, shard.shard);
    if (!existing.has(doneKey))
      throw new PlanRefused(
        `stage ${stage} has not copied all that it planned: copy.source.ledgerOf needs all of it`,
      );
    const planned = await readShard(results, stage, shard, signal);
    const recorded = await readLedger(results, stage, shard.shard, existing, signal);
    const done = shardDone.parse(JSON.parse((await results.get(doneKey, signal)).toString('utf8')));
    refuseGaps(stage, shard, recorded, done);
    const objects: ListedObject[] = [];
    for (const row of recorded.rows.values()) {
      if (row.outcome === 'Failed' || !row.destination.startsWith(job.source.prefix)) continue;
      objects.push(objectOf(row, planned[row.row]));
    }
    yield objects;
  }
}

function refuseElsewhere({ store, bucket }: Place, stage: string, { destination }: PlanIndex): void {
  if (destination.store === store && destination.bucket === bucket) return;
  throw new PlanRefused(
    `stage ${stage} wrote to bucket ${destination.bucket} of store ${destination.store}, and copy.source is bucket ` +
      `${bucket} of store ${store}: name the place that the stage wrote to`,
  );
}

/** A segment that is gone or not what it was would leave objects out without a word. */
function refuseGaps(
  stage: string,
  shard: PlanIndex['shards'][number],
  { rows, segments }: RecordedRows,
  done: ShardDone,
): void {
  const whole = 'copy.source.ledgerOf needs all of it';
  const sums = new Map(segments.map((segment) => [segment.key, segment.sha256]));
  const wrong = done.segments.find(({ key, sha256 }) => sums.get(key) !== sha256);
  if (wrong !== undefined) {
    const how = sums.has(wrong.key) ? 'is not what it was when the stage ended' : 'is gone';
    throw new PlanRefused(`${wrong.key} of the ledger of stage ${stage} ${how}: ${whole}`);
  }
  if (rows.size !== shard.rows) {
    const count = `${rows.size} of ${shard.rows} rows of shard ${shard.shard}`;
    throw new PlanRefused(`the ledger of stage ${stage} has ${count}: ${whole}`);
  }
}

/** What the earlier stage left at a row's destination. */
function objectOf(row: LedgerRow, planned: PlanRow | undefined): ListedObject {
  const { destination: key, destinationEtag: etag, size } = row;
  return {
    key,
    size,
    etag,
    lastModified: new Date(row.time).toISOString(),
    storageClass: planned?.storageClass,
  };
}
