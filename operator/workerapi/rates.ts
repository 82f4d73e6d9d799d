/** How often one worker may ask: a bucket of tokens per pod. */
import type { Clock } from '../kube/clock.ts';

interface Bucket {
  tokens: number;
  at: number;
}

const MAX_BUCKETS = 20_000;

export class RateBounds {
  readonly #clock: Clock;
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock, bounds: { perSecond: number; burst: number }) {
    this.#clock = clock;
    this.#perSecond = bounds.perSecond;
    this.#burst = bounds.burst;
  }

  /** Whether one more request of `key` is fine now. */
  allow(key: string): boolean {
    const now = this.#clock.monotonicMs();
    const bucket = this.#buckets.get(key) ?? { tokens: this.#burst, at: now };
    bucket.tokens = Math.min(this.#burst, bucket.tokens + ((now - bucket.at) / 1000) * this.#perSecond);
    bucket.at = now;
    // Put last again, so that the first is the one that was quiet longest.
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > MAX_BUCKETS && oldest !== undefined) this.#buckets.delete(oldest);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }
}
