/** Something remote that everybody asks in turn, and nobody needs so much as to wait for it behind the others. */
import type { Clock } from '../kube/clock.ts';

/** Once it has failed, it is tried only so often until it answers, in milliseconds. */
const REST_MS = 5_000;

export class Breaker {
  readonly #clock: Clock;
  /** When the last try began or failed, in monotonic milliseconds; undefined while it answers. */
  #triedAt: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether to try now. While it fails, who is told so is the only one for a while. */
  mayTry(): boolean {
    if (this.#triedAt === undefined) return true;
    if (this.#clock.monotonicMs() - this.#triedAt < REST_MS) return false;
    this.#triedAt = this.#clock.monotonicMs();
    return true;
  }

  answered(): void {
    this.#triedAt = undefined;
  }

  failed(): void {
    this.#triedAt = this.#clock.monotonicMs();
  }
}
