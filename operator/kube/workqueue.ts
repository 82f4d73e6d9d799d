import type { Clock } from './clock.ts';
import type { Key } from './key.ts';
import type { KubeMetrics } from './metrics.ts';

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
  constructor(_options: WorkQueueOptions) {
    throw new Error('not written yet');
  }
  /** Keys ready for work. */
  get length(): number {
    throw new Error('not written yet');
  }
  add(_key: Key): void {
    throw new Error('not written yet');
  }
  /** Adds after `ms`; of several, the earliest counts. */
  addAfter(_key: Key, _ms: number): void {
    throw new Error('not written yet');
  }
  /** Adds after the key's own back-off, which doubles until `forget`. */
  addRateLimited(_key: Key): void {
    throw new Error('not written yet');
  }
  /** Ends the key's back-off. */
  forget(_key: Key): void {
    throw new Error('not written yet');
  }
  /** How often the key was rate limited since `forget`. */
  retries(_key: Key): number {
    throw new Error('not written yet');
  }
  /** The next key, when there is one; undefined once the queue is shut down. Every key must be given to `done`. */
  take(): Promise<Key | undefined> {
    throw new Error('not written yet');
  }
  done(_key: Key): void {
    throw new Error('not written yet');
  }
  /** Takes nothing more, forgets what waits, ends `take`. Resolves when all work in hand is done. */
  shutDown(): Promise<void> {
    throw new Error('not written yet');
  }
}
