/** How many requests a copy takes. Pure. */
import type { RowAction } from '../contract/copyplan.ts';
import type { RequestEstimate } from '../contract/planreport.ts';
import type { CopyJob } from './job.ts';
import { splitParts } from './parts.ts';
import { isCopiedInParts } from './transfer.ts';

/** Keys that one request lists. */
export const PAGE_KEYS = 1000;

/** What decides about requests. */
export type EstimatedJob = Pick<CopyJob, 'mode' | 'transfer' | 'multipartThreshold' | 'verification'>;

/** Adds up the requests of rows. */
export class RequestCounter {
  readonly #job: EstimatedJob;
  readonly #counts = { list: 0, head: 0, get: 0, put: 0, copy: 0, uploadPart: 0, delete: 0 };
  /** Objects that are likely to be read again on both sides; not a whole number. */
  #sampled = 0;

  constructor(job: EstimatedJob) {
    this.#job = job;
  }

  get estimate(): RequestEstimate {
    return { ...this.#counts, get: this.#counts.get + Math.round(this.#sampled) * 2 };
  }

  /** Requests for a listing of so many keys. */
  addListing(keys: number): void {
    this.#counts.list += Math.max(1, Math.ceil(keys / PAGE_KEYS));
  }

  addRow(action: RowAction, size: number): void {
    const { mode, transfer, multipartThreshold, verification } = this.#job;
    const counts = this.#counts;
    if (action === 'Copy') {
      if (isCopiedInParts({ job: this.#job, transfer }, { size })) {
        const parts = splitParts(size, multipartThreshold, transfer).length;
        counts.uploadPart += parts;
        // One to start and one to finish, after a look at the source's attributes and tags.
        counts.put += 2;
        counts.head += 1;
        counts.get += transfer === 'Stream' ? parts + 1 : 1;
      } else if (transfer === 'Stream') {
        counts.head += 1;
        counts.get += 2;
        counts.put += 1;
      } else {
        counts.copy += 1;
      }
    }
    if (action !== 'Unchanged') {
      // Both sides are asked for checksums; which of them have none in common cannot be told before.
      if (verification.kind === 'Checksum') counts.head += 2;
      if (verification.kind === 'Sample' && size > 0) this.#sampled += verification.percent / 100;
    }
    if (mode === 'Move' && action !== 'Unchanged') {
      counts.head += 1;
      counts.delete += 1;
    }
  }
}
