import type { CopyJob } from './job.ts';
import { readLedger } from './ledger.ts';
import { readPlanIndex } from './planstore.ts';
import type { ReadableResults } from './results.ts';
import { RowSet } from './rowset.ts';

/** The ledger of an earlier copy between the same stores. */
export interface EarlierLedger {
  readonly results: ReadableResults;
  readonly stage: string;
}

/** A row of a plan, and the ETag of what is at its destination. */
export interface Candidate {
  readonly number: number;
  readonly row: Link;
  readonly existingEtag: string;
}

interface Link {
  readonly source: string;
  readonly etag: string;
  readonly size: number;
  readonly destination: string;
}

/** Candidates that are looked for in one pass through the ledgers, so that they fit in memory. */
const atOnce = 50_000;

/**
 * The rows whose very source was copied before, as a ledger says, to just what is at their destination. ETags that
 * are no MD5 sums (objects in parts, SSE-KMS) can be told to belong together in this way alone, and without a request.
 */
export async function findCopied(
  ledgers: readonly EarlierLedger[],
  candidates: Iterable<Candidate>,
  job: Pick<CopyJob, 'source' | 'destination'>,
  signal: AbortSignal,
): Promise<RowSet> {
  const copied = new RowSet();
  if (ledgers.length === 0) return copied;
  let wanted = new Map<string, number>();
  const look = async (): Promise<void> => {
    for (const ledger of ledgers) {
      if (wanted.size === 0) return;
      for await (const link of readLinks(ledger, job, signal)) {
        const number = wanted.get(link);
        if (number === undefined) continue;
        wanted.delete(link);
        copied.add(number);
      }
    }
  };
  for (const { number, row, existingEtag } of candidates) {
    wanted.set(linkOf(row, existingEtag), number);
    if (wanted.size < atOnce) continue;
    await look();
    wanted = new Map();
  }
  await look();
  return copied;
}

/**
 * What a ledger says to be copied between these buckets: by its own run or, what it skipped, by one before. One that
 * cannot be read proves nothing, and is no reason to fail.
 */
async function* readLinks(
  { results, stage }: EarlierLedger,
  job: Pick<CopyJob, 'source' | 'destination'>,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  try {
    const existing = await results.list(stage, signal);
    const index = await readPlanIndex(results, stage, existing, signal);
    if (index?.source.bucket !== job.source.bucket) return;
    if (index.destination.bucket !== job.destination.bucket) return;
    for (const { shard } of index.shards) {
      const { rows } = await readLedger(results, stage, shard, existing, signal);
      for (const { outcome, source, sourceEtag: etag, size, destination, destinationEtag } of rows.values()) {
        if (outcome === 'Copied' || outcome === 'Skipped')
          yield linkOf({ source, etag, size, destination }, destinationEtag);
      }
    }
  } catch {
    signal.throwIfAborted();
  }
}

function linkOf({ source, etag, size, destination }: Link, existingEtag: string): string {
  return JSON.stringify([source, etag, size, destination, existingEtag]);
}
