/** Frames of one container that wait to be stored: whole chunks, and one that is filling. */

/** Frames are put together at this size: a thousand small buffers cost far more than their bytes. */
const BLOCK_BYTES = 64 * 1024;

export class FrameBatch {
  readonly #full: Buffer[] = [];
  #blocks: Buffer[] = [];
  #frames: Buffer[] = [];
  #frameBytes = 0;
  #bytes = 0;

  /** `limit`: bytes that the chunk may grow to; a single longer frame is a chunk of its own. */
  add(frame: Buffer, limit: number): void {
    if (this.#bytes > 0 && this.#bytes + frame.length > limit) this.#seal();
    this.#frames.push(frame);
    this.#frameBytes += frame.length;
    this.#bytes += frame.length;
    if (this.#frameBytes >= BLOCK_BYTES) this.#close();
  }

  get empty(): boolean {
    return this.#bytes === 0 && this.#full.length === 0;
  }

  /** Whether there is a chunk that cannot grow any more. */
  get full(): boolean {
    return this.#full.length > 0;
  }

  /** Everything that waits, in order. */
  get waiting(): Buffer[] {
    return [...this.#full, ...this.#blocks, ...this.#frames];
  }

  /** Takes the oldest chunk out, the one that is still filling last. */
  take(): Buffer | undefined {
    if (this.#full.length === 0 && this.#bytes > 0) this.#seal();
    return this.#full.shift();
  }

  #close(): void {
    this.#blocks.push(Buffer.concat(this.#frames));
    this.#frames = [];
    this.#frameBytes = 0;
  }

  #seal(): void {
    this.#full.push(Buffer.concat([...this.#blocks, ...this.#frames]));
    this.#blocks = [];
    this.#frames = [];
    this.#frameBytes = 0;
    this.#bytes = 0;
  }
}
