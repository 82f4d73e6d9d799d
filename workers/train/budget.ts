/**
 * A bound on bytes that are held in memory at a time. Requests are served in order, so that a large one is not
 * starved by small ones; one that is larger than the whole budget gets all of it, alone.
 */
export class ByteBudget {
  readonly #total: number;
  #free: number;
  readonly #waiting: { readonly bytes: number; readonly go: () => void }[] = [];

  constructor(total: number) {
    this.#total = total;
    this.#free = total;
  }

  /** Runs `work` when `bytes` are free, and gives them back after it. */
  async use<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    const share = Math.min(bytes, this.#total);
    if (this.#waiting.length > 0 || this.#free < share)
      await new Promise<void>((go) => this.#waiting.push({ bytes: share, go }));
    else this.#free -= share;
    try {
      return await work();
    } finally {
      this.#free += share;
      this.#wake();
    }
  }

  #wake(): void {
    for (
      let next = this.#waiting[0];
      next !== undefined && next.bytes <= this.#free;
      next = this.#waiting[0]
    ) {
      this.#waiting.shift();
      this.#free -= next.bytes;
      next.go();
    }
  }
}
