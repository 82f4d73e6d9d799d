import { isLedgerSegment, shardLedgerPrefix } from '../contract/keys.ts';
import { parseLedgerRow, type LedgerRow, type ShardDone } from '../contract/ledger.ts';
import { unpackLines } from './frames.ts';
import { sha256, type ReadableResults } from './results.ts';

type Segment = ShardDone['segments'][number];

/** What earlier pods recorded of a shard: the last word on each row, and the segments it stands in. */
export interface RecordedRows {
  readonly rows: ReadonlyMap<number, LedgerRow>;
  readonly segments: readonly Segment[];
}

/** Reads all segments of a shard, whichever pod wrote them. */
export async function readLedger(
  results: ReadableResults,
  stage: string,
  shard: number,
  existing: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<RecordedRows> {
  const prefix = shardLedgerPrefix(stage, shard);
  const rows = new Map<number, LedgerRow>();
  const segments: Segment[] = [];
  for (const key of existing) {
    if (!key.startsWith(prefix) || !isLedgerSegment(key)) continue;
    const frame = await results.get(key, signal);
    const lines = await unpackLines(frame);
    for (const line of lines) {
      const row = parseLedgerRow(line);
      const known = rows.get(row.row);
      // Two pods may both have worked on a row: a copy that succeeded once is there.
      if (known === undefined || known.outcome === 'Failed') rows.set(row.row, row);
    }
    segments.push({ key, rows: lines.length, sha256: sha256(frame) });
  }
  return { rows, segments };
}
