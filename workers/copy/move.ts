import type { LedgerRow } from '../contract/ledger.ts';
import { S3Error } from '../s3/errors.ts';
import { deleteObject, headObject } from '../s3/objects.ts';
import { compareHead } from './heads.ts';
import { runBounded } from './pool.ts';
import { nameKey } from './problems.ts';
import type { TransferContext } from './transfer.ts';

/** What became of the sources of one shard. */
export interface MoveResult {
  readonly moved: number;
  /** Sources that were left where they are, each with a sentence; at most ten are kept. */
  readonly left: { readonly count: number; readonly first: readonly string[] };
}

/**
 * Deletes the sources of rows whose copy was verified and whose ledger is closed. A source that changed since, or a
 * copy that is gone, keeps its source. Deleting what is deleted already is fine, so a resumed Move just runs again.
 * Versioned buckets get a delete marker; a version is never deleted.
 */
export async function deleteSources(
  context: TransferContext,
  rows: Iterable<LedgerRow>,
  stop: AbortSignal,
  signal: AbortSignal,
): Promise<MoveResult> {
  let moved = 0;
  let count = 0;
  const first: string[] = [];
  const work = async (row: LedgerRow, rowSignal: AbortSignal): Promise<void> => {
    const why = await deleteSource(context, row, rowSignal);
    if (why === undefined) {
      moved += 1;
    } else {
      count += 1;
      if (first.length < 10) first.push(`${nameKey(row.source)}: ${why}`);
    }
  };
  await runBounded(deletable(rows, stop), context.job.concurrency, work, signal);
  return { moved, left: { count, first } };
}

function* deletable(rows: Iterable<LedgerRow>, stop: AbortSignal): Generator<LedgerRow, void, undefined> {
  for (const row of rows) {
    if (stop.aborted) return;
    // Unchanged means that the source is the destination: deleting it would lose the object.
    if (row.outcome === 'Copied' || row.outcome === 'Skipped') yield row;
  }
}

/** Undefined when the source is gone, else why it stays. */
async function deleteSource(
  context: TransferContext,
  row: LedgerRow,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { ends, guards, transfer } = context;
  const { client, bucket } = ends.source;
  const copy = await headObject(
    ends.destination.client,
    { bucket: ends.destination.bucket, key: row.destination },
    signal,
  );
  const wrong = compareHead(row, copy);
  if (wrong !== undefined) return `its copy is no longer what was copied: ${wrong}`;
  // What the probe saw holds for the destination's endpoint, so it says something about the source only in one store.
  const conditional = guards.deleteIfMatch && transfer === 'ServerSide';
  if (!conditional) {
    const head = await headObject(client, { bucket, key: row.source }, signal);
    if (head === undefined) return undefined;
    if (head.etag !== row.sourceEtag) return 'it changed after it was copied';
  }
  try {
    const pin = conditional ? { ifMatch: row.sourceEtag } : {};
    await deleteObject(client, { bucket, key: row.source, ...pin }, signal);
    return undefined;
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    if (error.status === 404) return undefined;
    if (error.status === 412) {
      // A store may say so as well of what is gone.
      const head = await headObject(client, { bucket, key: row.source }, signal);
      return head === undefined ? undefined : 'it changed after it was copied';
    }
    if (error.retryClass === 'permanent' || error.code === 'AccessDenied') return error.message;
    throw error;
  }
}
