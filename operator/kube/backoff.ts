/** The growing wait between failures in a row of something that runs for ever, with jitter. */
import type { Clock } from './clock.ts';

/** How long to wait after failures in a row, in milliseconds. */
export interface BackoffPolicy {
  /** The first delay; doubles with each failure. */
  readonly baseMs: number;
  /** The longest delay. */
  readonly maxMs: number;
  /** So long without asking for a delay, and the next one is the first again. */
  readonly resetMs: number;
}

/** Gentle enough for a whole fleet of clients that lose one server at the same moment. */
export const reflectorBackoff: BackoffPolicy = { baseMs: 800, maxMs: 30_000, resetMs: 120_000 };

/** Delays that double, with up to as much again of jitter below the limit. */
export class Backoff {
  readonly #policy: BackoffPolicy;
  readonly #clock: Clock;
  readonly #random: () => number;
  #failures = 0;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(policy: BackoffPolicy, clock: Clock, random: () => number) {
    this.#policy = policy;
    this.#clock = clock;
    this.#random = random;
  }

  /** The delay after one more failure, in milliseconds. */
  next(): number {
    const now = this.#clock.monotonicMs();
    if (now - this.#lastMs > this.#policy.resetMs) this.#failures = 0;
    const delay = this.#policy.baseMs * 2 ** Math.min(this.#failures, 30);
    this.#failures += 1;
    const jittered = Math.min(delay * (1 + this.#random()), this.#policy.maxMs);
    this.#lastMs = now + jittered;
    return jittered;
  }
}
