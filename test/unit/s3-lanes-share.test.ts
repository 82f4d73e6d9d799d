/**
 * Clients that know nothing of each other before one store with a limit, on a clock of the test's own: what they use
 * of the limit does not depend on what else this machine does.
 */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Lane } from '../../workers/s3/lane.ts';
import { defaultRetry, retryDelay } from '../../workers/s3/retry.ts';
import { TokenBucket } from '../support/s3double/throttle.ts';

/** Requests per second that the store admits, for all clients together. */
const capacity = 300;
/** Seconds: the first ten are for finding the rate. */
const seconds = 40;
const settled = 10;
/** Requests of one client that are under way at once. */
const requests = 16;

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

/** The same numbers from 0 to 1 in every run. */
function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const after = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Sends one request after the other as a client does: paced by its lane, and again after a refusal. */
async function send(lane: Lane, store: TokenBucket, random: () => number, done: () => void): Promise<void> {
  const { signal } = new AbortController();
  for (let attempt = 1; ; attempt += 1) {
    await lane.enter(signal);
    const sentAt = performance.now();
    await after(1 + random() * 4);
    const refusal = store.take();
    await after(1 + random() * 4);
    if (refusal === undefined) {
      lane.succeeded(sentAt);
      done();
      attempt = 0;
    } else {
      lane.refused(sentAt, undefined);
      await after(retryDelay(defaultRetry, attempt + 1, undefined, random));
    }
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

test.each([
  [1, 0.95],
  [4, 0.9],
])(
  'number of clients %i: at least %d of the limit is used, next to nothing refused, all have their share',
  async (clients, used) => {
    const limit = { requests: 'all', rate: capacity, prefix: '', status: 503, code: 'SlowDown' } as const;
    const store = new TokenBucket(limit);
    const random = numbersFrom(clients);
    const shares = Array.from({ length: clients }, () => 0);
    for (const client of shares.keys()) {
      const lane = new Lane();
      const done = (): void => {
        if (performance.now() >= begin + settled * 1000) shares[client] = (shares[client] ?? 0) + 1;
      };
      for (let n = 0; n < requests; n += 1) void send(lane, store, random, done);
    }
    const begin = performance.now();
    await vi.advanceTimersByTimeAsync(seconds * 1000);
    const { admitted, refused } = store.counts;
    const [good, bad] = [admitted, refused].map((counts) => sum(counts.slice(settled, seconds - 1)));
    expect((good ?? 0) / (capacity * (seconds - 1 - settled))).toBeGreaterThan(used);
    expect((bad ?? 0) / ((good ?? 0) + (bad ?? 0))).toBeLessThan(0.02);
    expect(Math.min(...shares)).toBeGreaterThan(sum(shares) / clients / 2);
  },
);
