import type { KeyEquivalence, PlanIndex } from '../contract/copyplan.ts';
import { haveSameChecksum } from '../s3/checksums.ts';
import type { S3Client } from '../s3/client.ts';
import { S3Error } from '../s3/errors.ts';
import { headObject } from '../s3/objects.ts';
import {
  NO_CAPABILITIES,
  probeCapabilities,
  probeSameStore,
  type Capabilities,
  type ProbePlace,
} from '../s3/probe.ts';
import { findAbove, listDestination } from './above.ts';
import { findClashes } from './clashes.ts';
import { DraftFile, type DraftRow } from './draftfile.ts';
import { Drafter } from './drafts.ts';
import type { EarlierLedger } from './earlier.ts';
import type { CopyJob } from './job.ts';
import { joinExisting, type ExistingObject, type Joined, type JoinInput } from './join.ts';
import { nameKey, PlanProblems, PlanRefused } from './problems.ts';
import { PlanProof } from './proof.ts';
import type { ResultsStore } from './results.ts';
import { RowSet } from './rowset.ts';
import type { Scratch } from './scratch.ts';
import { atStore, type Sides } from './sides.ts';
import { readSource, type SourceInput } from './sources.ts';
import { isCopiedInParts } from './transfer.ts';

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

function isInOneBucket({ source, destination }: CopyJob): boolean {
  return source.store === destination.store && source.bucket === destination.bucket;
}

/**
 * Proves that every row can be carried out: no two rows for one key, no chain inside a bucket, nothing existing
 * overwritten against the user's word.
 * @throws PlanRefused with all problems (the first ten in words); Unavailable when a store does not answer.
 */
export async function provePlan(
  input: PlanInput,
  { drafts, drafter, proof, problems }: DraftedPlan,
  signal: AbortSignal,
): Promise<ProvedPlan> {
  const { job, sides, scratch } = input;
  problems.refuse();
  if (drafts.rows === 0) return refuseOrAcceptEmpty(job, drafts, drafter);
  await findClashes(proof, drafts, problems);
  problems.refuse();
  const { capabilities, oneSpace } = await probe(input, isInOneBucket(job), needsParts(job, drafts), signal);
  const equivalence = job.keyEquivalence === 'Auto' ? capabilities.aliases : job.keyEquivalence;
  let whole = proof;
  if (equivalence !== proof.space.equivalence || oneSpace !== proof.space.oneSpace) {
    whole = new PlanProof(drafts, { equivalence, oneSpace }, scratch);
    for (const { row, number, position } of drafts.all()) whole.add(number, position, row);
    await findClashes(whole, drafts, problems);
    problems.refuse();
  }
  const joined = await atStore(job, sides, 'destination', () => {
    const pages = listDestination(sides.destination, job.destination, equivalence, signal);
    const haveSameBytes: JoinInput['haveSameBytes'] = (row, there, rowSignal) =>
      compareChecksums(job, sides, { row, there }, rowSignal);
    const { earlier = [] } = input;
    const found = { job, drafts, proof: whole, scratch, pages, earlier, haveSameBytes, problems };
    return joinExisting(found, signal);
  });
  problems.refuse();
  const { listed, unmatched, renamed } = drafter;
  const { skipped, existingEtag, listed: listedAtDestination } = joined;
  const known = { drafts, skipped, existingEtag, unchanged: whole.unchanged, listed, unmatched, renamed };
  return { ...known, listedAtDestination, keyEquivalence: equivalence, guards: capabilities };
}

async function compareChecksums(
  job: CopyJob,
  sides: Sides,
  { row, there }: { readonly row: DraftRow; readonly there: ExistingObject },
  signal: AbortSignal,
): Promise<boolean> {
  const from = { bucket: job.source.bucket, key: row.source, checksums: true };
  const to = { bucket: job.destination.bucket, key: row.destination, checksums: true };
  const [source, destination] = await Promise.all([
    headObject(sides.source, from, signal),
    headObject(sides.destination, to, signal),
  ]);
  if (source?.etag !== row.etag || destination?.etag !== there.etag) return false;
  return haveSameChecksum(source, destination);
}

function refuseOrAcceptEmpty(
  job: CopyJob,
  drafts: DraftFile,
  { listed, unmatched }: { readonly listed: number; readonly unmatched: number },
): ProvedPlan {
  if (job.onEmpty === 'Fail') {
    const under = `under prefix ${nameKey(job.source.prefix)} of bucket ${job.source.bucket}`;
    const where = job.from.kind === 'Listing' ? under : `${under} ${describeOrigin(job.from)}`;
    throw new PlanRefused(
      listed === 0
        ? `there are 0 objects ${where}: correct copy.source, or set copy.onEmpty to Succeed`
        : `no rename rule matches any of the ${listed} keys ${where}: correct copy.rename, or set copy.onEmpty to Succeed`,
    );
  }
  const [skipped, unchanged] = [new RowSet(), new RowSet()];
  const existingEtag = (): undefined => undefined;
  const known = {
    drafts,
    skipped,
    existingEtag,
    unchanged,
    listed,
    unmatched,
    renamed: 0,
    listedAtDestination: 0,
  };
  return { ...known, keyEquivalence: 'Exact', guards: NO_CAPABILITIES };
}

function describeOrigin(from: Exclude<CopyJob['from'], { kind: 'Listing' }>): string {
  return from.kind === 'KeyList'
    ? `in the key list ${nameKey(from.key)}`
    : `in the ledger of stage ${from.stage}`;
}

/** Whether anything may be copied in parts. */
function needsParts(job: CopyJob, drafts: DraftFile): boolean {
  let largest = 0;
  drafts.eachSize((_, size) => {
    largest = Math.max(largest, size);
  });
  return isCopiedInParts({ job, transfer: job.transfer }, { size: largest });
}

interface Probed {
  readonly capabilities: Capabilities;
  /** Whether source and destination keys live in one key space. */
  readonly oneSpace: boolean;
}

async function probe(
  { job, sides, owner }: PlanInput,
  inOneBucket: boolean,
  parts: boolean,
  signal: AbortSignal,
): Promise<Probed> {
  if (job.dryRun) return { capabilities: NO_CAPABILITIES, oneSpace: inOneBucket };
  return atStore(job, sides, 'destination', async () => {
    const place = { ...job.destination, owner };
    const probing = probeDestination(sides.destination, place, { parts }, signal);
    const capabilities = await probing.catch((error: unknown) => explainProbe(sides, place, error, signal));
    if (inOneBucket || job.mode === 'Copy') return { capabilities, oneSpace: inOneBucket };
    return { capabilities, oneSpace: await isOneSpace({ job, sides }, place, signal) };
  });
}

/** Below an object, a store of paths takes no throw-away object either. */
async function explainProbe(
  { destination }: Sides,
  { bucket, prefix }: ProbePlace,
  error: unknown,
  signal: AbortSignal,
): Promise<never> {
  if (error instanceof S3Error && (error.status === 400 || error.status === 409)) {
    const [above] = await findAbove(destination, { bucket, prefix }, signal);
    if (above !== undefined) {
      throw new PlanRefused(
        `nothing can be written below ${nameKey(prefix)}: ${nameKey(above.key)} exists, and this store cannot hold one ` +
          'key inside the other; delete it, or correct copy.destination.prefix',
      );
    }
  }
  throw error;
}

/** Two names may be those of one bucket also within a store: an access point has a name like a bucket's. */
async function isOneSpace(
  { job, sides }: Pick<PlanInput, 'job' | 'sides'>,
  place: ProbePlace,
  signal: AbortSignal,
): Promise<boolean> {
  const from = { client: sides.source, bucket: job.source.bucket };
  try {
    return await probeSameStore(sides.destination, place, from, signal);
  } catch (error) {
    // Credentials that may see nothing of the source but its own prefix.
    const hidden = error instanceof S3Error && error.code === 'AccessDenied';
    if (hidden && job.source.store === job.destination.store) return false;
    throw error;
  }
}

/** Another pod of the stage may sweep our throw-away objects while we look at them; then we look again. */
async function probeDestination(
  client: S3Client,
  place: ProbePlace,
  uses: { readonly parts: boolean },
  signal: AbortSignal,
): Promise<Capabilities> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await probeCapabilities(client, place, uses, signal);
    } catch (error) {
      if (
        attempt === 3 ||
        !(error instanceof S3Error) ||
        error.status !== 404 ||
        error.code === 'NoSuchBucket'
      ) {
        throw error;
      }
    }
  }
}
