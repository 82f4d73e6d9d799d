import type { PlanIndex, PlanRow } from '../contract/copyplan.ts';
import { haveSameChecksum } from '../s3/checksums.ts';
import type { S3Client } from '../s3/client.ts';
import { S3Error } from '../s3/errors.ts';
import { headObject } from '../s3/objects.ts';
import { probeCapabilities, probeSameStore, type Capabilities, type ProbePlace } from '../s3/probe.ts';
import { findClashes, joinExisting } from './clashes.ts';
import { draftRows, isRenamed } from './drafts.ts';
import type { CopyJob } from './job.ts';
import { listPages } from './list.ts';
import { nameKey, PlanProblems, PlanRefused } from './problems.ts';
import { atStore, type Sides } from './sides.ts';

/** What a plan is made from. */
export interface PlanInput {
  readonly job: CopyJob;
  readonly sides: Sides;
  /** What is already known to be wrong with the job. */
  readonly problems: PlanProblems;
  /** Names throw-away objects. */
  readonly owner: string;
}

/** A whole plan that was proved, before it is written. */
export interface ProvedPlan {
  readonly rows: readonly PlanRow[];
  readonly listed: number;
  readonly unmatched: number;
  readonly renamed: number;
  readonly keyEquivalence: PlanIndex['keyEquivalence'];
  readonly guards: PlanIndex['guards'];
}

/**
 * Lists the source, renames, and proves that every row can be carried out: no two rows for one key, no chain inside a
 * bucket, nothing existing overwritten against the user's word.
 * @throws PlanRefused with all problems (the first ten in words); Unavailable when a store does not answer.
 */
export async function makePlan(input: PlanInput, signal: AbortSignal): Promise<ProvedPlan> {
  const { job, sides } = input;
  input.problems.refuse();
  const { drafts, listed, unmatched } = await draftRows(job, sides, signal);
  if (drafts.length === 0) return refuseOrAcceptEmpty(job, listed, unmatched);
  const renamed = drafts.filter((row) => isRenamed(row, job)).length;
  const inOneBucket =
    job.source.store === job.destination.store && job.source.bucket === job.destination.bucket;

  // Exact clashes are clashes on every store, so a plan that has them is refused before anything is written at all.
  const certain = new PlanProblems();
  findClashes(drafts, 'Exact', inOneBucket, certain);
  certain.refuse();

  const { capabilities, oneSpace } = await probe(input, inOneBucket, signal);
  const keyEquivalence = job.keyEquivalence === 'Auto' ? capabilities.aliases : job.keyEquivalence;
  const problems = new PlanProblems();
  const proof = findClashes(drafts, keyEquivalence, oneSpace, problems);
  problems.refuse();
  const rows = await atStore(job, sides, 'destination', async () => {
    const pages = listPages(sides.destination, job.destination, signal);
    const haveSameBytes = (row: PlanRow) => compareChecksums(job, sides, row, signal);
    return joinExisting({ job, drafts, proof, oneSpace, keyEquivalence, pages, haveSameBytes, problems });
  });
  problems.refuse();
  return { rows, listed, unmatched, renamed, keyEquivalence, guards: capabilities };
}

async function compareChecksums(
  job: CopyJob,
  sides: Sides,
  row: PlanRow,
  signal: AbortSignal,
): Promise<boolean> {
  const from = { bucket: job.source.bucket, key: row.source, checksums: true };
  const to = { bucket: job.destination.bucket, key: row.destination, checksums: true };
  const [source, destination] = await Promise.all([
    headObject(sides.source, from, signal),
    headObject(sides.destination, to, signal),
  ]);
  return source?.etag === row.etag && destination !== undefined && haveSameChecksum(source, destination);
}

function refuseOrAcceptEmpty(job: CopyJob, listed: number, unmatched: number): ProvedPlan {
  if (job.onEmpty === 'Fail') {
    const where = `prefix ${nameKey(job.source.prefix)} of bucket ${job.source.bucket}`;
    throw new PlanRefused(
      listed === 0
        ? `there are 0 objects under ${where}: correct copy.source, or set copy.onEmpty to Succeed`
        : `no rename rule matches any of the ${listed} keys under ${where}: correct copy.rename, or set copy.onEmpty to Succeed`,
    );
  }
  const guards = { sourcePinned: false, createOnly: false, deleteIfMatch: false };
  return { rows: [], listed, unmatched, renamed: 0, keyEquivalence: 'Exact', guards };
}

interface Probed {
  readonly capabilities: Capabilities;
  /** Whether source and destination keys live in one key space. */
  readonly oneSpace: boolean;
}

async function probe(
  { job, sides, owner }: PlanInput,
  inOneBucket: boolean,
  signal: AbortSignal,
): Promise<Probed> {
  if (job.dryRun) {
    const capabilities = {
      sourcePinned: false,
      createOnly: false,
      deleteIfMatch: false,
      aliases: 'Exact',
    } as const;
    return { capabilities, oneSpace: inOneBucket };
  }
  return atStore(job, sides, 'destination', async () => {
    const place = { ...job.destination, owner };
    const capabilities = await probeDestination(sides.destination, place, signal);
    if (inOneBucket || job.mode === 'Copy' || job.source.store === job.destination.store) {
      return { capabilities, oneSpace: inOneBucket };
    }
    const from = { client: sides.source, bucket: job.source.bucket };
    return { capabilities, oneSpace: await probeSameStore(sides.destination, place, from, signal) };
  });
}

/** Another pod of the stage may sweep our throw-away objects while we look at them; then we look again. */
async function probeDestination(
  client: S3Client,
  place: ProbePlace,
  signal: AbortSignal,
): Promise<Capabilities> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await probeCapabilities(client, place, signal);
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
