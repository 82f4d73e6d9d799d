import type { PlanRow } from '../contract/copyplan.ts';
import type { LedgerRow, RowOutcome } from '../contract/ledger.ts';
import { S3Error } from '../s3/errors.ts';
import { listObjects } from '../s3/objects.ts';
import { isRetryable } from '../s3/retry.ts';
import type { LedgerWriter, RecordedRows } from './ledger.ts';
import { sweepUploads } from './leftovers.ts';
import { runBounded } from './pool.ts';
import { explainStoreError, Unavailable } from './problems.ts';
import { RowFailed } from './rowfailed.ts';
import { copyRow, type TransferContext } from './transfer.ts';
import { lookAtSource, verifyCopy } from './verify.ts';

/**
 * At most this many rows are ever started without being recorded. After a crash, only that many of the first
 * unrecorded rows can have been copied already, and only they are looked at before they are copied.
 */
export const MOST_UNRECORDED = 20_000;

/** So many rows in a row that fail for want of a working store end the stage; fewer are tried again at its end. */
const hopeless = 64;
/** The same for failures between successes: more are not kept for the end. */
const mostPostponed = 1_000;

/** What the outside wants to hear while rows are done. */
export interface ShardObserver {
  /** Called once per row that this pod finishes. */
  readonly finished: (row: LedgerRow) => void;
}

export interface ShardWork {
  readonly context: TransferContext;
  readonly rows: readonly PlanRow[];
  readonly recorded: RecordedRows;
  /** An earlier pod may have copied rows that it could not record. */
  readonly resumed: boolean;
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
  const tried = new Retried();
  const once = async (open: OpenRow, rowSignal: AbortSignal): Promise<void> => {
    try {
      const outcome = await doRow(work, open, rowSignal);
      record(work, open, outcome);
      // What was only taken from the plan says nothing about the store.
      if (outcome.outcome === 'Copied' || outcome.checksum !== undefined) tried.succeeded();
    } catch (error) {
      if (rowSignal.aborted) throw error;
      const failure = judge(error, work, tried.anySuccess);
      if (failure === undefined) tried.postpone(open, error);
      else record(work, open, failure);
    }
  };
  await runBounded(openRows(work, stop), work.context.job.concurrency, once, signal);
  const again = async (open: OpenRow, rowSignal: AbortSignal): Promise<void> => {
    try {
      record(work, open, await doRow(work, open, rowSignal));
    } catch (error) {
      if (rowSignal.aborted) throw error;
      record(work, open, judge(error, work, true) ?? (await blameObject(error, work, rowSignal)));
    }
  };
  await runBounded(untilStopped(tried.takePostponed(), stop), 4, again, signal);
  await work.ledger.close();
  // What failed here may have left an upload that could not be aborted at once.
  if (!stop.aborted) await sweepUploads(work.context, unrecordedRows(work), signal);
  return !stop.aborted;
}

/** The rows that were this worker's to do. */
function* unrecordedRows({ rows, recorded }: ShardWork): Generator<PlanRow, void, undefined> {
  for (const [number, row] of rows.entries()) if (!recorded.rows.has(number)) yield row;
}

/** Rows whose requests went on failing, which may be the store's fault or their own. */
class Retried {
  #postponed: OpenRow[] = [];
  #inARow = 0;
  anySuccess = false;

  succeeded(): void {
    this.#inARow = 0;
    this.anySuccess = true;
  }

  postpone(open: OpenRow, error: unknown): void {
    this.#inARow += 1;
    this.#postponed.push({ ...open, mayBeDone: true });
    if (this.#inARow >= hopeless || this.#postponed.length > mostPostponed)
      throw new Unavailable(`the store goes on failing: ${messageOf(error)}`);
  }

  /** @throws Unavailable when nothing worked at all: then the objects are not to blame. */
  takePostponed(): readonly OpenRow[] {
    if (this.#postponed.length > 0 && !this.anySuccess) {
      throw new Unavailable(`the store fails every copy; ${this.#postponed.length} were tried`);
    }
    return this.#postponed;
  }
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

interface Outcome {
  readonly outcome: RowOutcome;
  readonly etag: string;
  readonly checksum?: string | undefined;
  readonly error?: string;
}

async function doRow({ context }: ShardWork, open: OpenRow, signal: AbortSignal): Promise<Outcome> {
  const { row, mayBeDone } = open;
  if (row.action === 'Unchanged') return { outcome: 'Unchanged', etag: row.etag };
  const source = await lookAtSource(context, row, signal);
  if (row.action === 'Skip') {
    // What an earlier run left may be the very copy that did not stand its verification.
    const checksum = await verifyCopy(context, row, { etag: '', source }, signal);
    return { outcome: 'Skipped', etag: row.destinationEtag ?? row.etag, checksum };
  }
  const etag = await copyRow(context, row, { mayBeDone, checksum: source.algorithm }, signal);
  const checksum = await verifyCopy(context, row, { etag, source }, signal);
  return { outcome: 'Copied', etag, checksum };
}

/**
 * The failure of this row alone, or undefined where it may pass by itself.
 * @throws what ends the stage.
 */
function judge(error: unknown, { context }: ShardWork, anySuccess: boolean): Outcome | undefined {
  if (error instanceof RowFailed) return failed(error.code, error);
  if (!(error instanceof S3Error)) throw error;
  if (error.retryClass === 'permanent') return failed(error.code, error);
  if (error.retryClass === 'fatal') {
    // A policy may deny single keys; anything else that is fatal meets every row.
    if (error.code === 'AccessDenied' && anySuccess) return failed(error.code, error);
    const field =
      error.bucket === context.job.source.bucket && error.operation !== 'CopyObject'
        ? 'source'
        : 'destination';
    const { store, bucket } = context.job[field];
    const endpoint = context.ends[field].client.address(bucket).origin;
    throw explainStoreError(error, { field, store, endpoint, bucket });
  }
  return undefined;
}

/**
 * The failure of an object whose requests go on failing while its stores answer others.
 * @throws Unavailable where they do not: an outage at the end of a shard is no fault of its last objects.
 */
async function blameObject(error: unknown, { context }: ShardWork, signal: AbortSignal): Promise<Outcome> {
  for (const field of ['source', 'destination'] as const) {
    const { client, bucket } = context.ends[field];
    const { prefix } = context.job[field];
    try {
      await listObjects(client, { bucket, prefix, maxKeys: 1 }, signal);
    } catch (silence) {
      if (signal.aborted) throw silence;
      // Any other refusal is an answer.
      if (isRetryable(silence)) throw new Unavailable(`the store goes on failing: ${messageOf(error)}`);
    }
  }
  return failed('StoreError', error);
}

function failed(code: string, error: unknown): Outcome {
  return { outcome: 'Failed', etag: '', error: `${code}: ${messageOf(error)}`.slice(0, 1000) };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown failure';
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
