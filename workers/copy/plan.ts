import { createHash } from 'node:crypto';
import type { PlanIndex, PlanRow } from '../contract/copyplan.ts';
import { rename } from '../contract/rename.ts';
import { haveSameChecksum } from '../s3/checksums.ts';
import type { S3Client } from '../s3/client.ts';
import { S3Error } from '../s3/errors.ts';
import type { ListedObject } from '../s3/listing.ts';
import { headObject } from '../s3/objects.ts';
import { probeCapabilities, probeSameStore, type Capabilities, type ProbePlace } from '../s3/probe.ts';
import { findClashes, joinExisting, type DraftRow } from './clashes.ts';
import type { CopyJob, Place } from './job.ts';
import { listPages } from './list.ts';
import { explainStoreError, nameKey, PlanProblems, PlanRefused } from './problems.ts';

/** The clients of both sides; one and the same when both locations name one store. */
export interface Sides {
  readonly source: S3Client;
  readonly destination: S3Client;
}

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

/** Storage classes that must be restored before they can be read. */
const archived = new Set(['GLACIER', 'DEEP_ARCHIVE']);

const encoder = new TextEncoder();

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

/** Whether a row's key after the prefix changes. */
export function isRenamed(row: { source: string; destination: string }, job: CopyJob): boolean {
  return row.source.slice(job.source.prefix.length) !== row.destination.slice(job.destination.prefix.length);
}

interface Drafts {
  readonly drafts: DraftRow[];
  readonly listed: number;
  readonly unmatched: number;
}

async function draftRows(job: CopyJob, sides: Sides, signal: AbortSignal): Promise<Drafts> {
  const drafts: DraftRow[] = [];
  const problems = new PlanProblems();
  let listed = 0;
  const unmatched: { count: number; first: string } = { count: 0, first: '' };
  await atStore(job, sides, 'source', async () => {
    for await (const page of listPages(sides.source, job.source, signal)) {
      listed += page.length;
      for (const object of page) {
        const destination = destinationOf(object, job);
        if (destination === undefined) {
          if (unmatched.count === 0) unmatched.first = object.key;
          unmatched.count += 1;
          if (job.onUnmatched !== 'Copy') continue;
        }
        drafts.push(
          draftRow(object, destination ?? job.destination.prefix + keyAfterPrefix(object, job), problems),
        );
      }
    }
  });
  await atStore(job, sides, 'source', () => refuseUnlistable(job, sides, drafts, problems, signal));
  if (unmatched.count > 0 && job.onUnmatched === 'Fail') {
    problems.add(describeUnmatched(unmatched, listed, job.source));
  }
  problems.refuse();
  return { drafts, listed, unmatched: job.onUnmatched === 'Copy' ? 0 : unmatched.count };
}

/**
 * A store that ignores encoding-type writes U+FFFD for characters that XML cannot carry. Such a key is looked up,
 * because it may really hold that character.
 */
async function refuseUnlistable(
  job: CopyJob,
  sides: Sides,
  drafts: readonly DraftRow[],
  problems: PlanProblems,
  signal: AbortSignal,
): Promise<void> {
  for (const { source: key } of drafts) {
    if (!key.includes('\uFFFD')) continue;
    const head = await headObject(sides.source, { bucket: job.source.bucket, key }, signal);
    if (head !== undefined) continue;
    problems.add(
      `the store lists ${nameKey(key)} but does not have it: the key holds a character that its listing cannot carry; ` +
        'rename or delete this object',
    );
  }
}

function describeUnmatched(
  { count, first }: { count: number; first: string },
  listed: number,
  from: Place,
): string {
  const whole = `under prefix ${nameKey(from.prefix)} of bucket ${from.bucket}`;
  const which =
    count === listed
      ? `no rename rule matches any of the ${listed} keys ${whole} (the first is ${nameKey(first)})`
      : `${count} of ${listed} keys ${whole} match no rename rule (the first is ${nameKey(first)})`;
  return `${which}; rules see the key after the prefix: add a rule, or set copy.onUnmatched to Skip or Copy`;
}

function keyAfterPrefix(object: ListedObject, job: CopyJob): string {
  return object.key.slice(job.source.prefix.length);
}

function destinationOf(object: ListedObject, job: CopyJob): string | undefined {
  const key = keyAfterPrefix(object, job);
  if (job.rules === undefined) return job.destination.prefix + key;
  const { size, lastModified } = object;
  const hash = (): string => createHash('sha256').update(key).digest('hex');
  const renamed = rename(job.rules, { key, size, lastModified, hash });
  return renamed === undefined ? undefined : job.destination.prefix + renamed.key;
}

function draftRow(object: ListedObject, destination: string, problems: PlanProblems): DraftRow {
  const { key, etag, size } = object;
  const to = `${nameKey(key)} would become ${nameKey(destination)}`;
  const bytes = encoder.encode(destination).length;
  if (!destination.isWellFormed()) {
    problems.add(`${to}, which is not well-formed Unicode: a group splits a character`);
  } else if (bytes < 1 || bytes > 1024) {
    problems.add(`${to}, which has ${bytes} bytes; S3 takes 1 to 1024`);
  }
  if (object.storageClass !== undefined && archived.has(object.storageClass)) {
    problems.add(`${nameKey(key)} has storage class ${object.storageClass}; restore it before the run`);
  }
  const storageClass = object.storageClass === 'STANDARD' ? undefined : object.storageClass;
  return { source: key, etag, size, destination, storageClass };
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

async function atStore<T>(
  job: CopyJob,
  sides: Sides,
  field: 'source' | 'destination',
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { store, bucket } = job[field];
    throw explainStoreError(error, { field, store, endpoint: sides[field].address(bucket).origin, bucket });
  }
}
