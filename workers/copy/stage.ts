import type { PlanIndex } from '../contract/copyplan.ts';
import { planPrefix, shardLedgerPrefix } from '../contract/keys.ts';
import type { LedgerRow } from '../contract/ledger.ts';
import type { CopyResult } from '../contract/manifests.ts';
import { ByteBudget, STREAM_BUDGET } from './budget.ts';
import type { Crew } from './deal.ts';
import type { CopyJob } from './job.ts';
import type { EarlierLedger } from './earlier.ts';
import { readLedger } from './ledger.ts';
import { LedgerWriter } from './ledgerwriter.ts';
import type { CopyLog } from './log.ts';
import { deleteSources } from './move.ts';
import { S3Error } from '../s3/errors.ts';
import { sweepProbes } from '../s3/probeplace.ts';
import { planStage } from './planning.ts';
import { describeDryRun } from './planreport.ts';
import type { Sides } from './sides.ts';
import { readPlanIndex, readShard } from './planstore.ts';
import { Unavailable, type PlanProblems } from './problems.ts';
import type { ResultsStore } from './results.ts';
import type { ScratchPlace } from './scratch.ts';
import { copyShard } from './shard.ts';
import { closeShard } from './sharddone.ts';
import type { SourceInput } from './sources.ts';
import { Tally } from './tally.ts';
import type { TransferContext } from './transfer.ts';

/** One pod's work on a copy stage. */
export interface StageWork {
  readonly job: CopyJob;
  /** What is already known to be wrong with the job. */
  readonly problems: PlanProblems;
  readonly sides: Sides;
  readonly results: ResultsStore;
  /** Of earlier copies between the same stores, the latest first. */
  readonly earlier?: readonly EarlierLedger[] | undefined;
  /** Opens the ledger that the job's source names, where it is not one of `results`. */
  readonly openLedger?: SourceInput['openLedger'];
  readonly worker: { readonly stage: string; readonly index: number; readonly podUID: string };
  /** The workers that the stage may have. */
  readonly crew: Crew;
  /** Where a large plan is worked out. */
  readonly scratch: ScratchPlace;
  /** Names throw-away objects of this stage, whichever pod makes them. */
  readonly owner: string;
  readonly log: CopyLog;
  /** Told now and then, while a plan is made, how many objects of the source were seen. */
  readonly onListed?: (objects: number) => void;
  /** Told once the plan is known, with a tally that the work then keeps up to date. `resumed`: an earlier pod made the plan. */
  readonly onTally: (tally: Tally, index: PlanIndex, resumed: boolean) => void;
  /** Milliseconds between ledger segments, for tests. */
  readonly segmentInterval?: number | undefined;
}

/**
 * - `stop`: finish what is under way and record it, then return.
 * - `abort`: break requests to the user's stores off.
 * - `last`: break everything off, also the ledger.
 */
export interface StageSignals {
  readonly stop: AbortSignal;
  readonly abort: AbortSignal;
  readonly last: AbortSignal;
}

/** How the stage's work of this pod ended, if nothing was thrown. */
export interface StageEnd {
  /** False when `stop` came first; another pod goes on from the ledger. */
  readonly finished: boolean;
  readonly result: CopyResult;
  /** The first ten failures in words. */
  readonly failures: readonly string[];
  /** What a dry run found out. */
  readonly message?: string;
}

/** Plans (or takes over the plan of an earlier pod), copies, records, and in mode Move deletes. */
export async function runStage(work: StageWork, signals: StageSignals): Promise<StageEnd> {
  const { job, results, worker, log } = work;
  work.problems.refuse();
  const existing = await results.listBelow(worker.stage, planPrefix(worker.stage), signals.last);
  let index = await readPlanIndex(results, worker.stage, existing, signals.last);
  let resumed = true;
  if (index === undefined) {
    if (worker.index !== 0) throw new Unavailable('worker 0 makes the plan, and it is not there yet');
    // A plan that is not written yet is worth nothing: no reason to finish it when the pod is told to end.
    const planning = AbortSignal.any([signals.stop, signals.abort]);
    const written = await planStage(work, existing, { planning, storing: signals.last });
    index = written.index;
    resumed = !written.ours;
  }
  const { rows, toCopy, skipped, unchanged, unmatched, renamed, bytes, keyEquivalence } = index;
  const counts = { rows, toCopy, skipped, unchanged, unmatched, renamed, bytes, keyEquivalence };
  log.info({ ...counts, shards: index.shards.length, resumed }, 'plan');
  sayLimits(job, log);
  const shards = index.shards.filter((shard) => shard.index === worker.index);
  const tally = new Tally(job, job.dryRun ? rows : shards.reduce((sum, shard) => sum + shard.rows, 0));
  work.onTally(tally, index, resumed);
  if (job.dryRun)
    return { finished: true, result: tally.result, failures: [], message: describeDryRun(index) };
  // Copying waits for it, reading does not. However this ends, it is not left behind.
  const swept = sweep(work, signals.abort);
  const sweptOrNot = swept.catch(() => undefined);
  const context = contextOf(work, index);
  let finished = true;
  try {
    for (const shard of shards) {
      finished &&= !signals.stop.aborted;
      if (!finished) break;
      finished = await runShard({ work, context, shard, tally, swept }, signals);
    }
  } finally {
    await sweptOrNot;
  }
  return { finished, result: tally.result, failures: tally.failures };
}

/** Says once per worker what a user might not expect. */
function sayLimits({ source, destination }: CopyJob, log: CopyLog): void {
  for (const { prefix } of [source, destination]) {
    if (prefix !== '' && !prefix.endsWith('/'))
      log.warn({ prefix }, 'prefix without a slash at its end; none is added');
  }
  log.info({}, 'ACLs, object locks and website redirects are not carried over');
}

/** Removes what a killed pod's probe left. Credentials that may not delete are no reason to fail a copy. */
async function sweep({ job, sides, owner, log }: StageWork, signal: AbortSignal): Promise<void> {
  try {
    await sweepProbes(sides.destination, { ...job.destination, owner }, signal);
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    log.warn({ message: error.message }, 'throw-away objects cannot be deleted');
  }
}

function contextOf({ job, sides }: StageWork, index: PlanIndex): TransferContext {
  const source = { client: sides.source, bucket: job.source.bucket };
  const destination = { client: sides.destination, bucket: job.destination.bucket };
  return {
    job,
    ends: { source, destination },
    guards: index.guards,
    transfer: index.transfer,
    plannedAt: new Date(index.time),
    budget: new ByteBudget(STREAM_BUDGET),
  };
}

interface ShardRun {
  readonly work: StageWork;
  readonly context: TransferContext;
  readonly shard: PlanIndex['shards'][number];
  readonly tally: Tally;
  /** Done when no throw-away object of an earlier pod is left. */
  readonly swept: Promise<void>;
}

async function runShard(run: ShardRun, signals: StageSignals): Promise<boolean> {
  const { work, context, shard, tally, swept } = run;
  const { results, log } = work;
  const { stage, podUID } = work.worker;
  const number = shard.shard;
  // Only now: another pod of this worker, cut off when this one began, may have gone on meanwhile for hours.
  const existing = await results.listBelow(stage, shardLedgerPrefix(stage, number), signals.last);
  const recorded = await readLedger(results, stage, number, existing, signals.last);
  for (const row of recorded.rows.values()) tally.add(row, false);
  const rows: LedgerRow[] = [...recorded.rows.values()];
  const where = { stage, shard: number, podUID };
  const ledger = new LedgerWriter(results, where, signals.last, work.segmentInterval);
  const finished = (row: LedgerRow): void => {
    rows.push(row);
    tally.add(row, true);
    if (row.outcome === 'Failed') log.warn({ source: row.source, error: row.error }, 'object not copied');
  };
  if (recorded.rows.size < shard.rows) {
    const [planned] = await Promise.all([
      readShard(results, stage, shard, signals.last),
      ledger.open(),
      swept,
    ]);
    const shardWork = {
      context,
      rows: planned,
      recorded,
      // A pod that began this shard before may have copied rows that are in no ledger, or even be copying still.
      resumed: recorded.segments.length > 0,
      owner: work.owner,
      ledger,
      observer: { finished, moving: (bytes: number) => tally.addMoving(bytes) },
    };
    try {
      if (!(await copyShard(shardWork, signals.stop, signals.abort))) return false;
    } finally {
      // In every ending: what was copied is not to be copied again.
      await ledger.close();
    }
  }
  const segments = [...recorded.segments, ...ledger.segments];
  const closing = { stage, shard, podUID, rows, segments };
  const { deadLetters } = await closeShard(results, closing, existing, signals.last);
  if (deadLetters !== undefined) tally.addDeadLetters(deadLetters.key);
  if (work.job.mode === 'Move') {
    const { moved, left } = await deleteSources(context, rows, signals.stop, signals.abort);
    tally.addMoved(moved, left);
    for (const why of left.first) log.warn({ why }, 'source not deleted');
  }
  return !signals.stop.aborted;
}
