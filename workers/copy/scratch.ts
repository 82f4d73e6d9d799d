import { closeSync, mkdirSync, openSync, readSync, statfsSync, unlinkSync, writeSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { PlanRefused, Unavailable } from './problems.ts';

/** Where a plan may be worked out that is too large for memory, and how many bytes it may take there. */
export interface ScratchPlace {
  readonly directory: string;
  readonly limit: number;
  /** Share of the disk that is left free for others, from 0 to 1: a full node would end the pod. Default: none. */
  readonly reserve?: number;
  /** Bytes of any one file that are held in memory before it goes to the disk, if fewer than usual. */
  readonly memory?: number;
}

/** Bytes that are written between two looks at how full the disk is. */
const lookEvery = 64 * 1024 ** 2;

/**
 * Files for one plan. They lose their names when they are opened, so nothing of them is left however the process ends;
 * what they take is counted here, because whoever writes more than its pod may is evicted without a word.
 */
export class Scratch {
  readonly #place: ScratchPlace;
  readonly #open: number[] = [];
  #used = 0;
  #lookAgainAt = lookEvery;

  constructor(place: ScratchPlace) {
    this.#place = place;
  }

  /** Bytes of any one file that may be in memory. */
  get memory(): number {
    return this.#place.memory ?? Number.POSITIVE_INFINITY;
  }

  /** Bytes on the disk. */
  get used(): number {
    return this.#used;
  }

  /** @throws Unavailable where no file can be made. */
  openFile(): number {
    const path = join(this.#place.directory, `ebbflow-${randomUUID()}`);
    const fd = this.#try(() => {
      mkdirSync(this.#place.directory, { recursive: true, mode: 0o700 });
      return openSync(path, 'wx+', 0o600);
    });
    this.#open.push(fd);
    unlinkSync(path);
    return fd;
  }

  /** Writes all bytes at a position behind everything that the file has. */
  write(fd: number, bytes: Uint8Array, position: number): void {
    this.#used += bytes.length;
    if (this.#used > this.#place.limit) throw tooLarge(this.#place.limit);
    if (this.#used >= this.#lookAgainAt) this.#leaveReserve();
    for (let done = 0; done < bytes.length; )
      done += this.#try(() => writeSync(fd, bytes, done, bytes.length - done, position + done));
  }

  /** Closes the files, and so deletes them. */
  close(): void {
    for (const fd of this.#open.splice(0)) closeSync(fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #leaveReserve(): void {
    this.#lookAgainAt = this.#used + lookEvery;
    const { directory, reserve = 0 } = this.#place;
    const { bavail, blocks } = this.#try(() => statfsSync(directory));
    if (bavail < blocks * reserve)
      throw new Unavailable(
        `the disk under ${directory} is almost full: the plan needs a node with more free space`,
      );
  }

  #try<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown failure';
      throw new Unavailable(`the plan cannot be worked out in ${this.#place.directory}: ${code}`, {
        cause: error,
      });
    }
  }
}

function tooLarge(limit: number): PlanRefused {
  return new PlanRefused(
    `the plan takes more than ${Math.floor(limit / 1024 ** 2)} MiB of scratch space: ask for more with the stage's ` +
      'resources (ephemeral-storage), or copy prefix by prefix',
  );
}

/** A file that begins in memory and goes to the disk as it grows. Records are whole in memory or whole on the disk. */
export class SpillFile {
  /** The end of the file, where records are written: at the position that `room` gives. */
  tail: Buffer;
  readonly #scratch: Scratch;
  readonly #most: number;
  #used = 0;
  #spilled = 0;
  #fd: number | undefined;

  /** `most`: bytes that are held in memory, if no record is larger. */
  constructor(scratch: Scratch, most: number) {
    this.#scratch = scratch;
    this.#most = Math.min(most, scratch.memory);
    this.tail = Buffer.allocUnsafeSlow(Math.min(this.#most, 4096));
  }

  get length(): number {
    return this.#spilled + this.#used;
  }

  /** Makes sure that `size` bytes can be written to `tail`, and says where. They count when they are `take`n. */
  room(size: number): number {
    if (this.tail.length - this.#used < size) this.#makeRoom(size);
    return this.#used;
  }

  /** Makes the next `size` bytes of `tail` part of the file. */
  take(size: number): void {
    this.#used += size;
  }

  /** Copies bytes out of the file; fewer than asked for at its end. */
  read(position: number, into: Buffer): Buffer {
    const size = Math.max(0, Math.min(into.length, this.length - position));
    let done = 0;
    while (done < size && position + done < this.#spilled) {
      const most = Math.min(size - done, this.#spilled - position - done);
      const read = readSync(this.#fd ?? -1, into, done, most, position + done);
      if (read === 0) throw new Error('a scratch file is shorter than what was written to it');
      done += read;
    }
    const from = position + done - this.#spilled;
    if (done < size) this.tail.copy(into, done, from, from + size - done);
    return into.subarray(0, size);
  }

  #makeRoom(size: number): void {
    const wanted = this.#used + size;
    if (wanted <= this.#most) {
      const grown = Buffer.allocUnsafeSlow(Math.min(this.#most, Math.max(wanted, this.tail.length * 4)));
      this.tail.copy(grown, 0, 0, this.#used);
      this.tail = grown;
      return;
    }
    this.#fd ??= this.#scratch.openFile();
    this.#scratch.write(this.#fd, this.tail.subarray(0, this.#used), this.#spilled);
    this.#spilled += this.#used;
    this.#used = 0;
    if (this.tail.length < size) this.tail = Buffer.allocUnsafeSlow(Math.max(this.#most, size));
  }
}
