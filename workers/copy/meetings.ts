import type { Met } from './existing.ts';
import { SpillFile, type Scratch } from './scratch.ts';

/** Of one meeting: three numbers of eight bytes. */
const meetingBytes = 24;
/** Meetings that are read at a time. */
const together = 1024;

/** Rows whose destination exists (`same`), kept for later in a file: there may be as many as rows. */
export class Meetings {
  readonly #file: SpillFile;

  constructor(scratch: Scratch) {
    this.#file = new SpillFile(scratch, 64 * 1024);
  }

  add({ row, position, existing }: Met): void {
    const at = this.#file.room(meetingBytes);
    this.#file.tail.writeDoubleLE(row, at);
    this.#file.tail.writeDoubleLE(position, at + 8);
    this.#file.tail.writeDoubleLE(existing, at + 16);
    this.#file.take(meetingBytes);
  }

  /** In the order in which they were added. */
  *all(): Generator<Met, void, undefined> {
    const block = Buffer.allocUnsafeSlow(meetingBytes * together);
    for (let at = 0; at < this.#file.length; at += block.length) {
      const bytes = this.#file.read(at, block);
      for (let n = 0; n < bytes.length; n += meetingBytes) {
        const [row, position] = [bytes.readDoubleLE(n), bytes.readDoubleLE(n + 8)];
        yield { kind: 'same', row, position, existing: bytes.readDoubleLE(n + 16) };
      }
    }
  }
}
