import { createHash } from 'node:crypto';
import { rename, type Rules } from '../contract/rename.ts';
import type { ObjectFacts } from '../contract/template.ts';
import type { ListedObject } from '../s3/listing.ts';
import { isProbeKey } from '../s3/probeplace.ts';
import type { DraftFile } from './draftfile.ts';
import type { CopyJob, Place } from './job.ts';
import { nameKey, type PlanProblems } from './problems.ts';
import type { PlanProof } from './proof.ts';

/** As many as a report names. */
const shownRenames = 10;

/** Storage classes that must be restored before they can be read. */
const archived = new Set(['GLACIER', 'DEEP_ARCHIVE']);

/** Whether a row's key after the prefix changes. */
export function isRenamed(row: { source: string; destination: string }, job: CopyJob): boolean {
  return row.source.slice(job.source.prefix.length) !== row.destination.slice(job.destination.prefix.length);
}

/** Gives every object of the source its new key, and so makes the rows of a plan. */
export class Drafter {
  readonly #job: CopyJob;
  readonly #drafts: DraftFile;
  readonly #proof: PlanProof;
  readonly #problems: PlanProblems;
  readonly #facts = new Facts();
  #firstUnmatched = '';
  #noMatch = 0;
  /** Objects that the source has. */
  listed = 0;
  /** Rows whose key after the prefix changes. */
  renamed = 0;
  /** The first rows whose key changes. */
  readonly renames: { readonly source: string; readonly destination: string }[] = [];

  constructor(job: CopyJob, made: { drafts: DraftFile; proof: PlanProof; problems: PlanProblems }) {
    this.#job = job;
    this.#drafts = made.drafts;
    this.#proof = made.proof;
    this.#problems = made.problems;
  }

  /** Objects left out because no rule matches. */
  get unmatched(): number {
    return this.#job.onUnmatched === 'Copy' ? 0 : this.#noMatch;
  }

  /** Takes the next object of the source in. */
  add(object: ListedObject): void {
    // Another stage may be trying out the same bucket just now.
    if (isProbeKey(object.key)) return;
    this.listed += 1;
    const { source, destination, rules, onUnmatched } = this.#job;
    const key = object.key.slice(source.prefix.length);
    let renamed: string | undefined = key;
    if (rules !== undefined) renamed = this.#rename(rules, key, object);
    if (renamed === undefined) {
      if (this.#noMatch === 0) this.#firstUnmatched = object.key;
      this.#noMatch += 1;
      if (onUnmatched !== 'Copy') return;
      renamed = key;
    }
    if (renamed !== key) this.#countRename(object.key, destination.prefix + renamed);
    this.#addRow(object, destination.prefix + renamed);
  }

  /** To be called after the last object. */
  finish(): void {
    if (this.#noMatch === 0 || this.#job.onUnmatched !== 'Fail') return;
    const unmatched = { count: this.#noMatch, first: this.#firstUnmatched };
    this.#problems.addAll(1, [describeUnmatched(unmatched, this.listed, this.#job.source)]);
  }

  #rename(rules: Rules, key: string, { size, lastModified }: ListedObject): string | undefined {
    this.#facts.key = key;
    this.#facts.size = size;
    this.#facts.lastModified = lastModified;
    return rename(rules, this.#facts)?.key;
  }

  #countRename(source: string, destination: string): void {
    this.renamed += 1;
    if (this.renames.length < shownRenames) this.renames.push({ source, destination });
  }

  #addRow({ key, etag, size, storageClass }: ListedObject, destination: string): void {
    const wrong = describeBadKey(destination);
    if (wrong !== undefined) {
      this.#problems.add(`${nameKey(key)} would become ${nameKey(destination)}, which ${wrong}`);
      return;
    }
    if (storageClass !== undefined && archived.has(storageClass))
      this.#problems.add(`${nameKey(key)} has storage class ${storageClass}; restore it before the run`);
    const other = storageClass === 'STANDARD' ? undefined : storageClass;
    const row = { source: key, etag, size, destination, storageClass: other };
    const number = this.#drafts.rows;
    this.#proof.add(number, this.#drafts.add(row), row);
  }
}

/** One object's facts after the other: a listing has too many for an object each. */
class Facts implements ObjectFacts {
  key = '';
  size = 0;
  lastModified = '';
  readonly hash = (): string => createHash('sha256').update(this.key).digest('hex');
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

function describeBadKey(key: string): string | undefined {
  // Not even if every character had three bytes.
  if (key.length > 0 && key.length * 3 <= 1024 && key.isWellFormed()) return undefined;
  if (!key.isWellFormed()) return 'is not well-formed Unicode: a group splits a character';
  const bytes = Buffer.byteLength(key);
  return bytes < 1 || bytes > 1024 ? `has ${bytes} bytes; S3 takes 1 to 1024` : undefined;
}
