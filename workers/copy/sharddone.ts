import type { PlanIndex } from '../contract/copyplan.ts';
import { deadLettersKey, ledgerDoneKey } from '../contract/keys.ts';
import { formatDeadLetter, shardDone, type LedgerRow, type ShardDone } from '../contract/ledger.ts';
import { packLines } from './frames.ts';
import { sha256, type ResultsStore } from './results.ts';

/** A shard all of whose rows are recorded. */
export interface RecordedShard {
  readonly stage: string;
  readonly shard: PlanIndex['shards'][number];
  readonly podUID: string;
  /** Every row once. */
  readonly rows: readonly LedgerRow[];
  readonly segments: ShardDone['segments'];
}

/**
 * Closes a shard: writes what failed as one object, so that nobody has to search the ledger for it, and then `done.json`.
 * Where another pod of the same worker was faster, its word counts.
 */
export async function closeShard(
  results: ResultsStore,
  recorded: RecordedShard,
  existing: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<ShardDone> {
  const { stage, shard } = recorded;
  const key = ledgerDoneKey(stage, shard.shard);
  if (!existing.has(key)) {
    const deadLetters = await writeDeadLetters(results, recorded, signal);
    const done = { ...summarise(recorded), ...(deadLetters === undefined ? {} : { deadLetters }) };
    if ((await results.put(key, Buffer.from(JSON.stringify(done)), signal)) === 'Stored') return done;
  }
  return shardDone.parse(JSON.parse((await results.get(key, signal)).toString('utf8')));
}

async function writeDeadLetters(
  results: ResultsStore,
  { stage, shard, podUID, rows }: RecordedShard,
  signal: AbortSignal,
): Promise<ShardDone['deadLetters']> {
  const failed = rows.filter(({ outcome }) => outcome === 'Failed').toSorted((a, b) => a.row - b.row);
  if (failed.length === 0) return undefined;
  const key = deadLettersKey(stage, shard.shard, podUID);
  const frame = await packLines(failed.map(formatDeadLetter));
  // The key carries our pod UID: if it exists, it is this very object, whose reply was lost.
  await results.put(key, frame, signal);
  return { key, rows: failed.length, sha256: sha256(frame) };
}

function summarise({ shard, rows, segments }: RecordedShard): ShardDone {
  const having = (outcome: LedgerRow['outcome']) => rows.filter((row) => row.outcome === outcome);
  const copied = having('Copied');
  return {
    version: 1,
    shard: shard.shard,
    rows: shard.rows,
    copied: copied.length,
    skipped: having('Skipped').length,
    unchanged: having('Unchanged').length,
    failed: having('Failed').length,
    bytes: copied.reduce((sum, row) => sum + row.size, 0),
    segments,
  };
}
