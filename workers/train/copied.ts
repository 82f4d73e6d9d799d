import { EXIT } from '../contract/exitcodes.ts';
import { planIndex } from '../contract/copyplan.ts';
import { ledgerDoneKey, planIndexKey } from '../contract/keys.ts';
import { parseLedgerRow, shardDone } from '../contract/ledger.ts';
import type { GetGrant } from '../contract/workerapi.ts';
import { unpackLines } from '../copy/frames.ts';
import { WorkerFailure } from './failure.ts';
import { filePathOf } from './filepath.ts';
import { readGrant, type InputFile, type StageReader } from './inputs.ts';

/**
 * What a copy stage left at its destination: every row of its ledger that did not fail, whether it was copied, was
 * there already, or never had to move. Objects that were at the destination before and are in no row are not part.
 */
export async function* listCopied(
  stage: string,
  existing: readonly GetGrant[],
  reader: StageReader,
  signal: AbortSignal,
): AsyncGenerator<InputFile> {
  const grants = new Map(existing.map((grant) => [grant.key, grant]));
  const read = async (key: string): Promise<Buffer> => {
    const grant = grants.get(key);
    if (grant === undefined)
      throw new WorkerFailure(
        EXIT.inputFailed,
        'InputFailed',
        `the record of copy stage ${stage} is incomplete: ${key} is missing in the results store`,
      );
    return readGrant(grant, reader, signal);
  };
  const index = planIndex.parse(JSON.parse((await read(planIndexKey(stage))).toString('utf8')));
  const { store, bucket, prefix } = index.destination;
  for (const { shard } of index.shards) {
    const done = shardDone.parse(JSON.parse((await read(ledgerDoneKey(stage, shard))).toString('utf8')));
    const seen = new Set<number>();
    for (const segment of done.segments) {
      for (const line of await unpackLines(await read(segment.key))) {
        const row = parseLedgerRow(line);
        // A row that failed may have succeeded later, with another worker.
        if (row.outcome === 'Failed' || seen.has(row.row)) continue;
        seen.add(row.row);
        const path = filePathOf(row.destination, prefix);
        if (path === undefined) continue;
        const etag = row.destinationEtag;
        yield { store, bucket, key: row.destination, size: row.size, etag, path };
      }
    }
  }
}
