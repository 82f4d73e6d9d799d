/** How many requests a copy takes. Pure. */
import type { RowAction } from '../contract/copyplan.ts';
import type { RequestEstimate } from '../contract/planreport.ts';
import type { CopyJob } from './job.ts';
import { splitParts } from './parts.ts';
import { STREAM_WHOLE } from './transfer.ts';

/** Keys that one request lists. */
export const PAGE_KEYS = 1000;

/** Adds up the requests of rows. */
export class RequestCounter {
  readonly #job: Pick<CopyJob, 'mode' | 'transfer' | 'multipartThreshold'>;
  readonly #counts = { list: 0, head: 0, get: 0, put: 0, copy: 0, uploadPart: 0, delete: 0 };

  constructor(job: Pick<CopyJob, 'mode' | 'transfer' | 'multipartThreshold'>) {
    this.#job = job;
  }

  get estimate(): RequestEstimate {
    return { ...this.#counts };
  }

  /** Requests for a listing of so many keys. */
  addListing(keys: number): void {
    this.#counts.list += Math.max(1, Math.ceil(keys / PAGE_KEYS));
  }

  addRow(action: RowAction, size: number): void {
    const { mode, transfer, multipartThreshold } = this.#job;
    const counts = this.#counts;
    if (action === 'Copy') {
      const inParts = size > (transfer === 'Stream' ? STREAM_WHOLE : multipartThreshold);
      if (inParts) {
        const parts = splitParts(size, multipartThreshold).length;
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
    if (mode === 'Move' && action !== 'Unchanged') {
      counts.head += 1;
      counts.delete += 1;
    }
  }
}
