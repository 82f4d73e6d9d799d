import type { KeyEquivalence, PlanIndex } from '../contract/copyplan.ts';
import { followSignal } from '../s3/aborting.ts';
import { listDestination } from './above.ts';
import { findClashes } from './clashes.ts';
import { DraftFile } from './draftfile.ts';
import { Drafter } from './drafts.ts';
import type { EarlierLedger } from './earlier.ts';
import { refuseOrAcceptEmpty } from './emptyplan.ts';
import { isInOneBucket, type CopyJob } from './job.ts';
import { joinExisting, type Joined, type JoinInput } from './join.ts';
import { listPages } from './list.ts';
import { probeEnds } from './probing.ts';
import { PlanProblems } from './problems.ts';
import { PlanProof } from './proof.ts';
import type { ResultsStore } from './results.ts';
import type { RowSet } from './rowset.ts';
import { haveSameBytes } from './samebytes.ts';
import type { Scratch } from './scratch.ts';
import { atStore, type Sides } from './sides.ts';
import { readSource, type SourceInput } from './sources.ts';

/** What a plan is made from. */
export interface PlanInput {
  readonly job: CopyJob;
  readonly sides: Sides;
  /** What is already known to be wrong with the job. */
  readonly problems: PlanProblems;
  /** Names throw-away objects. */
  readonly owner: string;
  /** Where earlier stages have their ledgers. */
  readonly results: ResultsStore;
  readonly openLedger?: SourceInput['openLedger'];
  /** Of earlier copies between the same stores, the latest first. */
  readonly earlier?: readonly EarlierLedger[] | undefined;
  /** Where the plan is worked out; it must stay until the plan is written. */
  readonly scratch: Scratch;
  /** Told now and then how many objects of the source were seen. */
  readonly onListed?: ((objects: number) => void) | undefined;
}

/** The rows that a source and the rules make, before they are proved. */
export interface DraftedPlan {
  readonly drafts: DraftFile;
  readonly drafter: Drafter;
  readonly proof: PlanProof;
  readonly problems: PlanProblems;
}

/** A whole plan that was proved, before it is written. */
export interface ProvedPlan {
  readonly drafts: DraftFile;
  /** Rows that are not to be copied. */
  readonly skipped: RowSet;
  readonly unchanged: RowSet;
  readonly existingEtag: Joined['existingEtag'];
  readonly listed: number;
  readonly unmatched: number;
  readonly renamed: number;
  readonly keyEquivalence: KeyEquivalence;
  readonly guards: PlanIndex['guards'];
  /** Objects that the listing of the destination had. */
  readonly listedAtDestination: number;
}

/**
 * Reads the source and gives every object its new key. What is wrong with them is collected; `provePlan` refuses it.
 * @throws PlanRefused for a job that cannot be done at all; Unavailable when a store does not answer.
 */
export async function draftPlan(input: PlanInput, signal: AbortSignal): Promise<DraftedPlan> {
  const { job, sides, scratch } = input;
  input.problems.refuse();
  const problems = new PlanProblems();
  const drafts = new DraftFile(scratch);
  // Exact clashes are clashes on every store, so a plan that has them is refused before anything is written at all.
  const equivalence = job.keyEquivalence === 'Auto' ? 'Exact' : job.keyEquivalence;
  const proof = new PlanProof(drafts, { equivalence, oneSpace: isInOneBucket(job) }, scratch);
  const drafter = new Drafter(job, { drafts, proof, problems });
  await atStore(job, sides, 'source', async () => {
    for await (const page of readSource({ ...input, problems }, signal)) {
      for (const object of page) drafter.add(object);
      input.onListed?.(drafter.listed);
    }
  });
  drafter.finish();
  return { drafts, drafter, proof, problems };
}

/**
 * Proves that every row can be carried out: no two rows for one key, no chain inside a bucket, nothing existing
 * overwritten against the user's word.
 * @throws PlanRefused with all problems (the first ten in words); Unavailable when a store does not answer.
 */
export async function provePlan(
  input: PlanInput,
  drafted: DraftedPlan,
  signal: AbortSignal,
): Promise<ProvedPlan> {
  const { job, sides } = input;
  const { drafts, drafter, proof, problems } = drafted;
  problems.refuse();
  if (drafts.rows === 0) return refuseOrAcceptEmpty(job, drafts, drafter);
  await findClashes(proof, drafts, problems);
  problems.refuse();
  const listing = new AbortController();
  const unfollow = followSignal(signal, listing);
  try {
    // Begun while the store is probed. Where what exists is overwritten it may not be needed, and would be long in vain.
    const begun =
      job.onExisting === 'Overwrite'
        ? undefined
        : listPages(sides.destination, job.destination, listing.signal);
    return await proveAtStores(input, drafted, begun, signal);
  } finally {
    // Where the plan is refused before it is read, nothing of it stays under way.
    listing.abort(new Error('the listing is not needed any more'));
    unfollow();
  }
}

async function proveAtStores(
  input: PlanInput,
  { drafts, drafter, proof, problems }: DraftedPlan,
  begun: ReturnType<typeof listPages> | undefined,
  signal: AbortSignal,
): Promise<ProvedPlan> {
  const { job, sides, scratch } = input;
  const { capabilities, oneSpace } = await probeEnds(input, drafts, signal);
  const equivalence = job.keyEquivalence === 'Auto' ? capabilities.aliases : job.keyEquivalence;
  let whole = proof;
  if (equivalence !== proof.space.equivalence || oneSpace !== proof.space.oneSpace) {
    whole = new PlanProof(drafts, { equivalence, oneSpace }, scratch);
    for (const { row, number, position } of drafts.all()) whole.add(number, position, row);
    await findClashes(whole, drafts, problems);
    problems.refuse();
  }
  const joined = await atStore(job, sides, 'destination', () => {
    const pages = listDestination(sides.destination, job.destination, { equivalence, begun }, signal);
    const { earlier = [] } = input;
    const compare: JoinInput['haveSameBytes'] = (row, there, rowSignal) =>
      haveSameBytes(job, sides, { row, there }, rowSignal);
    const found = { job, drafts, proof: whole, scratch, pages, earlier, haveSameBytes: compare, problems };
    return joinExisting(found, signal);
  });
  problems.refuse();
  const { listed, unmatched, renamed } = drafter;
  const { skipped, existingEtag, listed: listedAtDestination } = joined;
  const known = { drafts, skipped, existingEtag, unchanged: whole.unchanged, listed, unmatched, renamed };
  return { ...known, listedAtDestination, keyEquivalence: equivalence, guards: capabilities };
}
