/** What a worker's streamed objects may take together: six parts. Bytes. */
export const STREAM_BUDGET = 96 * 1024 ** 2;

/** Somebody who waits for room. */
interface Waiting {
  readonly bytes: number;
  readonly admit: () => void;
}

/**
 * The memory that all objects under way may take together, in bytes. Who comes first is served first, so that a large
 * piece is not passed by small ones for ever.
 */
export class ByteBudget {
  readonly #bytes: number;
  readonly #waiting: Waiting[] = [];
  #used = 0;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** Runs `work` once there is room for so many bytes. More than there is at all takes everything there is. */
  async hold<T>(wanted: number, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const bytes = Math.min(wanted, this.#bytes);
    await this.#take(bytes, signal);
    try {
      return await work();
    } finally {
      this.#used -= bytes;
      this.#admit();
    }
  }

  async #take(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#waiting.length === 0 && this.#used + bytes <= this.#bytes) {
      this.#used += bytes;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = (): void => {
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      reject(signal.reason);
      // Those behind may have waited for this one only.
      this.#admit();
    };
    const admit = (): void => {
      signal.removeEventListener('abort', leave);
      resolve();
    };
    const waiting: Waiting = { bytes, admit };
    this.#waiting.push(waiting);
    signal.addEventListener('abort', leave, { once: true });
    return promise;
  }

  #admit(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (this.#used + first.bytes > this.#bytes) return;
      this.#used += first.bytes;
      this.#waiting.shift();
      first.admit();
    }
  }
}
