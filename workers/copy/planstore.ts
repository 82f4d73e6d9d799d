import { parsePlanRow, planIndex, type PlanIndex, type PlanRow } from '../contract/copyplan.ts';
import { planIndexKey, planPrefix, planShardKey } from '../contract/keys.ts';
import { dealPieces, type Crew } from './deal.ts';
import { packBlocks, unpackLines } from './frames.ts';
import type { CopyJob } from './job.ts';
import type { ProvedPlan } from './plan.ts';
import { PlannedRows } from './plannedrows.ts';
import { sha256, type ReadableResults, type ResultsStore } from './results.ts';

/** A stored plan contradicts itself: a fault of ours or of the store. */
export class PlanCorrupt extends Error {
  override readonly name = 'PlanCorrupt';
  readonly code = 'PlanCorrupt';
}

/** A plan to be written, for those who are to copy it. */
export interface StoredPlan {
  readonly proved: ProvedPlan;
  readonly job: CopyJob;
  readonly crew: Crew;
}

/** The plan that an earlier pod of this stage finished writing, if there is one. */
export async function readPlanIndex(
  results: ReadableResults,
  stage: string,
  existing: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<PlanIndex | undefined> {
  const key = planIndexKey(stage);
  if (!existing.has(key)) return undefined;
  return planIndex.parse(JSON.parse((await results.get(key, signal)).toString('utf8')));
}

/**
 * Writes the shards and last the index. Keys are written once, so shards that a dead pod left without an index keep
 * their numbers and ours come after them. Where another pod of the stage was faster, its plan is the plan.
 */
export async function writePlan(
  results: ResultsStore,
  stage: string,
  existing: ReadonlySet<string>,
  plan: StoredPlan,
  signal: AbortSignal,
): Promise<{ readonly index: PlanIndex; readonly ours: boolean }> {
  const rows = new PlannedRows(plan.proved, plan.job.mode);
  const cut = rows.cut(plan.crew);
  const deal = dealPieces(cut.pieces, cut.workers);
  const shards: PlanIndex['shards'] = [];
  let number = firstFreeNumber(stage, existing);
  for (const { index, pieces } of deal.shards) {
    const frame = await packBlocks(rows.lines(pieces));
    // `Exists` is either our own lost reply or another pod that plans as well: in both cases a new number is right.
    while ((await results.put(planShardKey(stage, number), frame, signal)) === 'Exists') number += 1;
    const count = pieces.reduce((sum, piece) => sum + piece.rows, 0);
    const bytes = pieces.reduce((sum, piece) => sum + piece.bytes, 0);
    shards.push({ shard: number, index, rows: count, bytes, sha256: sha256(frame) });
    number += 1;
  }
  const index = makeIndex(plan, deal.workers, shards);
  const body = Buffer.from(JSON.stringify(index));
  if ((await results.put(planIndexKey(stage), body, signal)) === 'Stored') return { index, ours: true };
  const listed = await results.listBelow(stage, planPrefix(stage), signal);
  const winner = await readPlanIndex(results, stage, listed, signal);
  if (winner === undefined) throw new PlanCorrupt('the plan exists but cannot be listed');
  return { index: winner, ours: false };
}

/** Reads the rows of one shard and checks them against the index. */
export async function readShard(
  results: ReadableResults,
  stage: string,
  shard: PlanIndex['shards'][number],
  signal: AbortSignal,
): Promise<PlanRow[]> {
  const key = planShardKey(stage, shard.shard);
  const frame = await results.get(key, signal);
  if (sha256(frame) !== shard.sha256) throw new PlanCorrupt(`${key} is not what the plan says`);
  const rows = (await unpackLines(frame)).map(parsePlanRow);
  if (rows.length !== shard.rows)
    throw new PlanCorrupt(`${key} has ${rows.length} rows instead of ${shard.rows}`);
  return rows;
}

function firstFreeNumber(stage: string, existing: ReadonlySet<string>): number {
  const prefix = planPrefix(stage);
  let free = 0;
  for (const key of existing) {
    if (!key.startsWith(prefix)) continue;
    const number = Number(/^(\d{1,9})\.zst$/.exec(key.slice(prefix.length))?.[1] ?? -1);
    free = Math.max(free, number + 1);
  }
  return free;
}

function makeIndex({ proved, job }: StoredPlan, workers: number, shards: PlanIndex['shards']): PlanIndex {
  const { drafts, listed, unmatched, renamed, keyEquivalence, guards } = proved;
  const { sourcePinned, createOnly, putCreateOnly, completeCreateOnly, deleteIfMatch } = guards;
  const [skipped, unchanged] = [proved.skipped.size, proved.unchanged.size];
  return {
    version: 1,
    time: new Date().toISOString(),
    source: job.source,
    destination: job.destination,
    keyEquivalence,
    transfer: job.transfer,
    guards: { sourcePinned, createOnly, putCreateOnly, completeCreateOnly, deleteIfMatch },
    listed,
    unmatched,
    rows: drafts.rows,
    toCopy: drafts.rows - skipped - unchanged,
    skipped,
    unchanged,
    renamed,
    bytes: shards.reduce((sum, shard) => sum + shard.bytes, 0),
    workers,
    shards,
  };
}
