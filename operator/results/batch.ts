/** Frames of one container that wait to be stored: whole chunks of at most 1 MiB, and one that is filling. */
import { CUT_BYTES } from './chunk.ts';

export class FrameBatch {
  readonly #full: Buffer[] = [];
  #frames: Buffer[] = [];
  #bytes = 0;

  add(frame: Buffer): void {
    if (this.#bytes > 0 && this.#bytes + frame.length > CUT_BYTES) this.#seal();
    this.#frames.push(frame);
    this.#bytes += frame.length;
  }

  get empty(): boolean {
    return this.#bytes === 0 && this.#full.length === 0;
  }

  /** Whether there is a chunk that cannot grow any more. */
  get full(): boolean {
    return this.#full.length > 0;
  }

  /** Takes the oldest chunk out, the one that is still filling last. */
  take(): Buffer | undefined {
    if (this.#full.length === 0 && this.#bytes > 0) this.#seal();
    return this.#full.shift();
  }

  #seal(): void {
    this.#full.push(Buffer.concat(this.#frames));
    this.#frames = [];
    this.#bytes = 0;
  }
}
