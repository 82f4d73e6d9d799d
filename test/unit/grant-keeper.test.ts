/** How often a worker asks for the grants of its last documents. */
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { WorkerApi } from '../../workers/api/client.ts';
import { GrantKeeper } from '../../workers/train/grantkeeper.ts';

let asked = 0;
let life = 0;
const api: Pick<WorkerApi, 'grants' | 'put'> = {
  grants: async () => {
    asked += 1;
    return { put: [], get: [], existing: [], expiresAt: new Date(Date.now() + life).toISOString() };
  },
  put: async () => 'stored',
};
let keeper: GrantKeeper;

beforeEach(() => {
  vi.useFakeTimers();
  asked = 0;
  keeper = new GrantKeeper(api, ['train/0/x/worker.json'], pino({ enabled: false }));
});
afterEach(() => {
  keeper.stop();
  vi.useRealTimers();
});

test('at half the life of the grants', async () => {
  life = 20 * 60_000;
  keeper.start();
  await vi.advanceTimersByTimeAsync(9 * 60_000);
  expect(asked).toBe(1);
  await vi.advanceTimersByTimeAsync(2 * 60_000);
  expect(asked).toBe(2);
});

test('a worker whose clock is an hour ahead does not ask all the time', async () => {
  life = -60 * 60_000;
  keeper.start();
  await vi.advanceTimersByTimeAsync(5 * 60_000);
  expect(asked).toBeLessThanOrEqual(11);
});
