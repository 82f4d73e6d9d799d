import { followSignal } from './aborting.ts';

/** A request that has to wait, for its turn or for a place. */
export class Waiter {
  readonly admitted: Promise<void>;
  readonly #resolve: () => void;
  readonly #reject: (reason: unknown) => void;
  readonly #unfollow: () => void;
  readonly #left: () => void;
  gone = false;

  /** `left`: called when it waits no longer because its signal was aborted. */
  constructor(signal: AbortSignal, left: () => void) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.admitted = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#left = left;
    this.#unfollow = followSignal(signal, this);
  }

  abort(reason: unknown): void {
    this.gone = true;
    this.#reject(reason);
    this.#left();
  }

  admit(): void {
    this.#unfollow();
    this.#resolve();
  }
}
