/** The work queue: keys that wait for a worker, at once, after a while, or after failures. */
import { type Clock, systemClock } from './clock.ts';
import type { Key } from './key.ts';
import { type KubeMetrics, noMetrics } from './metrics.ts';

export interface WorkQueueOptions {
  /** For metrics. */
  name: string;
  clock?: Clock;
  metrics?: KubeMetrics;
  /** First delay of addRateLimited, in milliseconds; doubles with each. 5 unless given. */
  baseDelayMs?: number;
  /** Longest delay of addRateLimited, in milliseconds. 60,000 unless given. */
  maxDelayMs?: number;
}

/**
 * Keys waiting for work. A key is there once however often it is added; one that is added while it is worked on
 * comes again after `done`, so no key is ever worked on twice at once.
 */
export class WorkQueue {
  readonly name: string;
  readonly #clock: Clock;
  readonly #metrics: KubeMetrics;
  readonly #baseDelayMs: number;
  readonly #maxDelayMs: number;
  /** Keys ready, in order of arrival, with the time they were added. */
  readonly #ready = new Map<Key, number>();
  /** Keys being worked on, with the time work began. */
  readonly #processing = new Map<Key, number>();
  /** Keys added while they were worked on, with the time of the add. */
  readonly #again = new Map<Key, number>();
  readonly #delayed = new Map<Key, { dueMs: number; cancel: () => void }>();
  readonly #failures = new Map<Key, number>();
  readonly #takers: ((key: Key | undefined) => void)[] = [];
  readonly #drained = Promise.withResolvers<void>();
  #closed = false;

  constructor(options: WorkQueueOptions) {
    this.name = options.name;
    this.#clock = options.clock ?? systemClock;
    this.#metrics = options.metrics ?? noMetrics;
    this.#baseDelayMs = options.baseDelayMs ?? 5;
    this.#maxDelayMs = options.maxDelayMs ?? 60_000;
  }

  /** Keys ready for work. */
  get length(): number {
    return this.#ready.size;
  }

  add(key: Key): void {
    if (this.#closed || this.#ready.has(key) || this.#again.has(key)) return;
    this.#metrics.queueAdd(this.name);
    const now = this.#clock.monotonicMs();
    if (this.#processing.has(key)) this.#again.set(key, now);
    else this.#enqueue(key, now);
  }

  /** Adds after `ms`; of several, the earliest counts. */
  addAfter(key: Key, ms: number): void {
    if (this.#closed) return;
    if (!(ms > 0)) {
      this.add(key);
      return;
    }
    const dueMs = this.#clock.monotonicMs() + ms;
    const waiting = this.#delayed.get(key);
    if (waiting !== undefined && waiting.dueMs <= dueMs) return;
    waiting?.cancel();
    this.#arm(key, dueMs);
  }

  /** Adds after the key's own back-off, which doubles until `forget`. */
  addRateLimited(key: Key): void {
    if (this.#closed) return;
    const failures = this.retries(key);
    this.#failures.set(key, failures + 1);
    this.#metrics.queueRetry(this.name);
    this.addAfter(key, Math.min(this.#baseDelayMs * 2 ** Math.min(failures, 40), this.#maxDelayMs));
  }

  /** Ends the key's back-off. */
  forget(key: Key): void {
    this.#failures.delete(key);
  }

  /** How often the key was rate limited since `forget`. */
  retries(key: Key): number {
    return this.#failures.get(key) ?? 0;
  }

  /** The next key, when there is one; undefined once the queue is shut down. Every key must be given to `done`. */
  take(): Promise<Key | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    const first = this.#ready.entries().next();
    if (first.done !== true) {
      const [key, addedMs] = first.value;
      this.#ready.delete(key);
      this.#begin(key, addedMs);
      return Promise.resolve(key);
    }
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  done(key: Key): void {
    const startedMs = this.#processing.get(key);
    if (startedMs === undefined) return;
    this.#processing.delete(key);
    this.#metrics.queueWork(this.name, (this.#clock.monotonicMs() - startedMs) / 1000);
    const againMs = this.#again.get(key);
    this.#again.delete(key);
    if (againMs !== undefined && !this.#closed) this.#enqueue(key, againMs);
    if (this.#closed && this.#processing.size === 0) this.#drained.resolve();
  }

  /** Takes nothing more, forgets what waits, ends `take`. Resolves when all work in hand is done. */
  shutDown(): Promise<void> {
    this.#closed = true;
    for (const { cancel } of this.#delayed.values()) cancel();
    this.#delayed.clear();
    this.#ready.clear();
    this.#again.clear();
    this.#failures.clear();
    this.#metrics.queueDepth(this.name, 0);
    for (const taker of this.#takers.splice(0)) taker(undefined);
    if (this.#processing.size === 0) this.#drained.resolve();
    return this.#drained.promise;
  }

  #enqueue(key: Key, addedMs: number): void {
    const taker = this.#takers.shift();
    if (taker === undefined) {
      this.#ready.set(key, addedMs);
      this.#metrics.queueDepth(this.name, this.#ready.size);
      return;
    }
    this.#begin(key, addedMs);
    taker(key);
  }

  #begin(key: Key, addedMs: number): void {
    const now = this.#clock.monotonicMs();
    this.#processing.set(key, now);
    this.#metrics.queueDepth(this.name, this.#ready.size);
    this.#metrics.queueWait(this.name, (now - addedMs) / 1000);
  }

  /** One timer sleeps an hour at most, so a later due time takes several. */
  #arm(key: Key, dueMs: number): void {
    const cancel = this.#clock.after(dueMs - this.#clock.monotonicMs(), () => {
      this.#delayed.delete(key);
      // Timers may fire a little early by the other clock: below a millisecond counts as due.
      if (dueMs - this.#clock.monotonicMs() >= 1) this.#arm(key, dueMs);
      else this.add(key);
    });
    this.#delayed.set(key, { dueMs, cancel });
  }
}
