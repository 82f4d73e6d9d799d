import type { PlanIndex, PlanRow } from '../contract/copyplan.ts';
import { ledgerDoneKey } from '../contract/keys.ts';
import type { LedgerRow } from '../contract/ledger.ts';
import type { ListedObject } from '../s3/listing.ts';
import { isPlainEtag } from '../s3/checksums.ts';
import { headObject } from '../s3/objects.ts';

import { readLedger } from './ledger.ts';
import { readPlanIndex, readShard } from './planstore.ts';
import { PlanRefused } from './problems.ts';
import type { SourceInput } from './sources.ts';

/** The objects under the source's prefix that an earlier copy stage of this run wrote or found in place. */
export async function* readLedgerOf(
  input: SourceInput,
  stage: string,
  signal: AbortSignal,
): AsyncGenerator<readonly ListedObject[], void, undefined> {
  const { job, results } = input;
  const existing = await results.list(stage, signal);
  const index = await readPlanIndex(results, stage, existing, signal);
  if (index === undefined)
    throw new PlanRefused(`stage ${stage} has no plan: copy.source.ledgerOf needs a copy stage`);
  refuseElsewhere(input, stage, index);
  for (const shard of index.shards) {
    if (!existing.has(ledgerDoneKey(stage, shard.shard)))
      throw new PlanRefused(
        `stage ${stage} has not copied all that it planned: copy.source.ledgerOf needs all of it`,
      );
    const planned = await readShard(results, stage, existing, shard, signal);
    const { rows } = await readLedger(results, stage, shard.shard, existing, signal);
    const objects: ListedObject[] = [];
    for (const row of rows.values()) {
      if (row.outcome === 'Failed' || !row.destination.startsWith(job.source.prefix)) continue;
      const object = await objectOf(input, row, planned[row.row], signal);
      if (object !== undefined) objects.push(object);
    }
    yield objects;
  }
}

function refuseElsewhere({ job }: SourceInput, stage: string, { destination }: PlanIndex): void {
  const { store, bucket } = job.source;
  if (destination.store === store && destination.bucket === bucket) return;
  throw new PlanRefused(
    `stage ${stage} wrote to bucket ${destination.bucket} of store ${destination.store}, and copy.source is bucket ` +
      `${bucket} of store ${store}: name the place that the stage wrote to`,
  );
}

/** What the earlier stage left at a row's destination; undefined where it is gone. */
async function objectOf(
  { job, sides }: SourceInput,
  row: LedgerRow,
  planned: PlanRow | undefined,
  signal: AbortSignal,
): Promise<ListedObject | undefined> {
  const { destination: key, destinationEtag: etag, size } = row;
  const lastModified = new Date(row.time).toISOString();
  const object = { key, size, etag, lastModified, storageClass: planned?.storageClass };
  // For an object that was there already, the ledger has the ETag of its source, which may be made otherwise.
  if (row.outcome !== 'Skipped' || isPlainEtag(etag)) return object;
  const head = await headObject(sides.source, { bucket: job.source.bucket, key }, signal);
  return head && { ...object, etag: head.etag };
}
