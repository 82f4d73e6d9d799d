import type { LedgerRow } from '../contract/ledger.ts';
import { MOST_DEAD_LETTERS, type CopyResult } from '../contract/manifests.ts';
import type { CopyJob } from './job.ts';
import { isRenamed } from './drafts.ts';
import { nameKey } from './problems.ts';
import { READ_ALGORITHM } from './verify.ts';

/** Adds up what became of the rows, and what this pod did itself. */
export class Tally {
  readonly #job: CopyJob;
  readonly #counts: CopyResult;
  readonly #failures: string[] = [];
  readonly #deadLetters: string[] = [];
  /** Rows copied and their bytes since this pod started. */
  #ownObjects = 0;
  #ownBytes = 0;
  /** Bytes of rows under way that are at the destination already, in parts. */
  #moving = 0;

  constructor(job: CopyJob, planned: number) {
    this.#job = job;
    this.#counts = {
      planned,
      copied: 0,
      renamed: 0,
      skipped: 0,
      unchanged: 0,
      moved: 0,
      failed: 0,
      bytes: 0,
      ...(job.verification.kind === 'ETag' ? {} : { verified: 0, reread: 0 }),
    };
  }

  /** Takes in a row, done by this pod or by an earlier one. */
  add(row: LedgerRow, own: boolean): void {
    if (row.checksum !== undefined) this.#addVerified(row.checksum);
    switch (row.outcome) {
      case 'Copied':
        this.#counts.copied += 1;
        this.#counts.bytes += row.size;
        if (isRenamed(row, this.#job)) this.#counts.renamed += 1;
        if (own) {
          this.#ownObjects += 1;
          this.#ownBytes += row.size;
        }
        break;
      case 'Skipped':
        this.#counts.skipped += 1;
        break;
      case 'Unchanged':
        this.#counts.unchanged += 1;
        break;
      case 'Failed':
        this.#counts.failed += 1;
        if (this.#failures.length < 10)
          this.#failures.push(`${nameKey(row.source)}: ${row.error ?? 'failed'}`);
        break;
    }
  }

  #addVerified(checksum: string): void {
    this.#counts.verified = (this.#counts.verified ?? 0) + 1;
    if (checksum.startsWith(`${READ_ALGORITHM}:`)) this.#counts.reread = (this.#counts.reread ?? 0) + 1;
  }

  /** Takes in parts of rows under way; negative when such a row is over, in whatever way. */
  addMoving(bytes: number): void {
    this.#moving += bytes;
  }

  /** What this pod copied since it started, parts of rows under way included. */
  get own(): { readonly objects: number; readonly bytes: number } {
    return { objects: this.#ownObjects, bytes: this.#ownBytes + this.#moving };
  }

  /** What is copied, parts of rows under way included. */
  get bytes(): number {
    return this.#counts.bytes + this.#moving;
  }

  /** Sources that mode Move deleted, and those it had to leave (each counts as a failure). */
  addMoved(moved: number, left: { readonly count: number; readonly first: readonly string[] }): void {
    this.#counts.moved += moved;
    this.#counts.failed += left.count;
    this.#failures.push(...left.first.slice(0, 10 - this.#failures.length));
  }

  /** A shard was closed, and this object has what failed of it. */
  addDeadLetters(key: string): void {
    if (this.#deadLetters.length < MOST_DEAD_LETTERS) this.#deadLetters.push(key);
  }

  /** Rows with an outcome. */
  get done(): number {
    const { copied, skipped, unchanged, failed } = this.#counts;
    return copied + skipped + unchanged + failed;
  }

  /** The first ten failures in words. */
  get failures(): readonly string[] {
    return this.#failures;
  }

  get result(): CopyResult {
    const deadLetters = [...this.#deadLetters];
    return { ...this.#counts, ...(deadLetters.length > 0 ? { deadLetters } : {}) };
  }
}
