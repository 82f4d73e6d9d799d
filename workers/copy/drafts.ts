import { createHash } from 'node:crypto';
import { rename } from '../contract/rename.ts';
import type { ListedObject } from '../s3/listing.ts';
import { headObject } from '../s3/objects.ts';
import { isProbeKey } from '../s3/probe.ts';
import type { DraftRow } from './clashes.ts';
import type { CopyJob, Place } from './job.ts';
import { listPages } from './list.ts';
import { nameKey, PlanProblems } from './problems.ts';
import { atStore, type Sides } from './sides.ts';

/** Storage classes that must be restored before they can be read. */
const archived = new Set(['GLACIER', 'DEEP_ARCHIVE']);

/** Whether a row's key after the prefix changes. */
export function isRenamed(row: { source: string; destination: string }, job: CopyJob): boolean {
  return row.source.slice(job.source.prefix.length) !== row.destination.slice(job.destination.prefix.length);
}

/** The rows that a listing and the rules make. */
export interface Drafts {
  readonly drafts: DraftRow[];
  /** Objects in the listing. */
  readonly listed: number;
  /** Those left out because no rule matches. */
  readonly unmatched: number;
}

/**
 * Lists the source and gives every object its new key.
 * @throws PlanRefused where keys cannot be made or do not match; the store's refusal, explained.
 */
export async function draftRows(job: CopyJob, sides: Sides, signal: AbortSignal): Promise<Drafts> {
  const drafts: DraftRow[] = [];
  const problems = new PlanProblems();
  let listed = 0;
  const unmatched: { count: number; first: string } = { count: 0, first: '' };
  await atStore(job, sides, 'source', async () => {
    for await (const page of listPages(sides.source, job.source, signal)) {
      for (const object of page) {
        // Another stage may be trying out the same bucket just now.
        if (isProbeKey(object.key)) continue;
        listed += 1;
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
  const wrong = describeBadKey(destination);
  if (wrong !== undefined)
    problems.add(`${nameKey(key)} would become ${nameKey(destination)}, which ${wrong}`);
  if (object.storageClass !== undefined && archived.has(object.storageClass)) {
    problems.add(`${nameKey(key)} has storage class ${object.storageClass}; restore it before the run`);
  }
  const storageClass = object.storageClass === 'STANDARD' ? undefined : object.storageClass;
  return { source: key, etag, size, destination, storageClass };
}

function describeBadKey(key: string): string | undefined {
  if (!key.isWellFormed()) return 'is not well-formed Unicode: a group splits a character';
  const bytes = Buffer.byteLength(key);
  return bytes < 1 || bytes > 1024 ? `has ${bytes} bytes; S3 takes 1 to 1024` : undefined;
}
