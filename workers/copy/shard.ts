import type { PlanRow } from '../contract/copyplan.ts';
import type { LedgerRow } from '../contract/ledger.ts';
import { blameObject, judge, type Outcome } from './blame.ts';
import type { RecordedRows } from './ledger.ts';
import type { LedgerWriter } from './ledgerwriter.ts';
import { sweepUploads } from './leftovers.ts';
import { doesOthers } from './outage.ts';
import { runBounded } from './pool.ts';
import { Postponed } from './postponed.ts';
import { Unavailable } from './problems.ts';
import { copyRow, type TransferContext } from './transfer.ts';
import { lookAtSource, verifyCopy } from './verify.ts';

/**
 * At most this many rows are ever started without being recorded. After a crash, only that many of the first
 * unrecorded rows can have been copied already, and only they are looked at before they are copied.
 */
export const MOST_UNRECORDED = 20_000;

/** What the outside wants to hear while rows are done. */
export interface ShardObserver {
  /** Called once per row that this pod finishes. */
  readonly finished: (row: LedgerRow) => void;
  /** Called with the bytes of every part of a row under way, and with as many less when that row is over. */
  readonly moving: (bytes: number) => void;
}

export interface ShardWork {
  readonly context: TransferContext;
  readonly rows: readonly PlanRow[];
  readonly recorded: RecordedRows;
  /** An earlier pod may have copied rows that it could not record. */
  readonly resumed: boolean;
  /** Names throw-away objects. */
  readonly owner: string;
  readonly ledger: LedgerWriter;
  readonly observer: ShardObserver;
}

/** A numbered row that is still to be done. */
interface OpenRow {
  readonly number: number;
  readonly row: PlanRow;
  readonly mayBeDone: boolean;
}

/**
 * Does every row of a shard that is not in the ledger yet, and records it. Ends early, in order, when `stop` is
 * aborted: then rows under way are finished and false is returned. `signal` breaks requests off.
 */
export async function copyShard(work: ShardWork, stop: AbortSignal, signal: AbortSignal): Promise<boolean> {
  // An earlier worker may have been killed in the middle of an upload.
  if (work.resumed) await sweepUploads(work.context, unrecordedRows(work), signal);
  const postponed = new Postponed<OpenRow>(() => areToBlame(work, signal));
  const once = async (open: OpenRow, rowSignal: AbortSignal): Promise<void> => {
    try {
      const outcome = await doRow(work, open, rowSignal);
      record(work, open, outcome);
      // What was only taken from the plan says nothing about the store.
      if (outcome.outcome === 'Copied' || outcome.checksum !== undefined) postponed.succeeded();
    } catch (error) {
      if (rowSignal.aborted) throw error;
      const failure = judge(error, work.context, postponed.anySuccess);
      if (failure === undefined) await postponed.add({ ...open, mayBeDone: true }, error);
      else record(work, open, failure);
    }
  };
  await runBounded(openRows(work, stop), work.context.job.concurrency, once, signal);
  const again = async (open: OpenRow, rowSignal: AbortSignal): Promise<void> => {
    try {
      record(work, open, await doRow(work, open, rowSignal));
    } catch (error) {
      if (rowSignal.aborted) throw error;
      const { context } = work;
      record(work, open, judge(error, context, true) ?? (await blameObject(error, context, rowSignal)));
    }
  };
  const left = await takePostponed(work, postponed, signal);
  await runBounded(untilStopped(left, stop), 4, again, signal);
  await work.ledger.close();
  // What failed here may have left an upload that could not be aborted at once.
  if (!stop.aborted) await sweepUploads(work.context, unrecordedRows(work), signal);
  return !stop.aborted;
}

/** The rows that were this worker's to do. */
function* unrecordedRows({ rows, recorded }: ShardWork): Generator<PlanRow, void, undefined> {
  for (const [number, row] of rows.entries()) if (!recorded.rows.has(number)) yield row;
}

/**
 * Whether the objects may be to blame where nothing works, neighbours with one fault or a single one above all. But an
 * outage passes, so that is asked only when another pod has waited for it before.
 */
async function areToBlame(
  { context, rows, resumed, owner }: ShardWork,
  signal: AbortSignal,
): Promise<boolean> {
  return resumed && doesOthers(context, rows, owner, signal);
}

/** What is to be tried once more. @throws Unavailable where nothing at all worked and the objects are not to blame. */
async function takePostponed(
  work: ShardWork,
  { rows, anySuccess }: Postponed<OpenRow>,
  signal: AbortSignal,
): Promise<readonly OpenRow[]> {
  if (rows.length === 0 || anySuccess || (await areToBlame(work, signal))) return rows;
  throw new Unavailable(`the store fails every copy; ${rows.length} were tried`);
}

async function* openRows(work: ShardWork, stop: AbortSignal): AsyncGenerator<OpenRow, void, undefined> {
  let started = 0;
  let unrecorded = 0;
  for (const [number, row] of work.rows.entries()) {
    if (work.recorded.rows.has(number)) continue;
    if (stop.aborted) return;
    await work.ledger.waitForRoom(started, MOST_UNRECORDED);
    started += 1;
    unrecorded += 1;
    yield { number, row, mayBeDone: work.resumed && unrecorded <= MOST_UNRECORDED };
  }
}

function* untilStopped(rows: readonly OpenRow[], stop: AbortSignal): Generator<OpenRow, void, undefined> {
  for (const row of rows) {
    if (stop.aborted) return;
    yield row;
  }
}

async function doRow(
  { context, observer }: ShardWork,
  { row, mayBeDone }: OpenRow,
  signal: AbortSignal,
): Promise<Outcome> {
  if (row.action === 'Unchanged') return { outcome: 'Unchanged', etag: row.etag };
  const source = await lookAtSource(context, row, signal);
  if (row.action === 'Skip') {
    // What an earlier run left may be the very copy that did not stand its verification.
    const checksum = await verifyCopy(context, row, { etag: '', source }, signal);
    return { outcome: 'Skipped', etag: row.destinationEtag ?? row.etag, checksum };
  }
  let moved = 0;
  const onPart = (bytes: number): void => {
    moved += bytes;
    observer.moving(bytes);
  };
  try {
    const etag = await copyRow(context, row, { mayBeDone, checksum: source.algorithm, onPart }, signal);
    const checksum = await verifyCopy(context, row, { etag, source }, signal);
    return { outcome: 'Copied', etag, checksum };
  } finally {
    if (moved > 0) observer.moving(-moved);
  }
}

function record(work: ShardWork, { number, row }: OpenRow, outcome: Outcome): void {
  const ledgerRow: LedgerRow = {
    row: number,
    outcome: outcome.outcome,
    source: row.source,
    sourceEtag: row.etag,
    size: row.size,
    destination: row.destination,
    destinationEtag: outcome.etag,
    time: Date.now(),
    checksum: outcome.checksum,
    error: outcome.error,
  };
  work.ledger.add(ledgerRow);
  work.observer.finished(ledgerRow);
}
