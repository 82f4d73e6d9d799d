import { Waiter } from './waiter.ts';

/**
 * How many requests of a client may be under way. Who finds no place waits in order, and before the request is signed:
 * stores take a signature for a quarter of an hour, which parts and large copies ahead may need for themselves.
 */
export class Places {
  #free: number;
  readonly #waiting: Waiter[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Undefined where there was a place, else what has to be waited for. Who has got one must leave it. */
  enter(signal: AbortSignal): Promise<void> | undefined {
    if (this.#free > 0) {
      this.#free -= 1;
      return undefined;
    }
    const waiter = new Waiter(signal, () => undefined);
    if (!waiter.gone) this.#waiting.push(waiter);
    return waiter.admitted;
  }

  /** The place goes to who has waited longest. */
  leave(): void {
    let next = this.#waiting.shift();
    while (next?.gone === true) next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next.admit();
  }
}
