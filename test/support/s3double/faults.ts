import { toByteString } from './bytestring.ts';
import type { DoubleRequest } from './request.ts';
import type { Fault } from './setup.ts';

/** The faults of a setup, each with a count of the requests it is about. */
export class FaultProgram {
  readonly #faults: readonly { readonly fault: Fault; readonly key: string; seen: number }[];

  constructor(faults: readonly Fault[]) {
    this.#faults = faults.map((fault) => ({ fault, key: toByteString(fault.key ?? ''), seen: 0 }));
  }

  /** The first fault that is due for this request. */
  next(request: DoubleRequest): Fault | undefined {
    let due: Fault | undefined;
    for (const entry of this.#faults) {
      const { fault, key } = entry;
      const { operation, bucket, after, times } = fault;
      if (operation !== undefined && operation !== request.operation) continue;
      if (bucket !== undefined && bucket !== request.bucket) continue;
      if (!request.key.includes(key)) continue;
      entry.seen += 1;
      const hit = entry.seen > after && (times === undefined || entry.seen <= after + times);
      if (hit) due ??= fault;
    }
    return due;
  }
}
