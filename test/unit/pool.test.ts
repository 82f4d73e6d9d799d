/** Bounded work on many items. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { runBounded } from '../../workers/copy/pool.ts';

const signal = new AbortController().signal;

test('no more items are under way than allowed, and all are done', async () => {
  let now = 0;
  let most = 0;
  let done = 0;
  const work = async (): Promise<void> => {
    most = Math.max(most, (now += 1));
    await sleep(1);
    now -= 1;
    done += 1;
  };
  await runBounded(
    Array.from({ length: 20 }, (_, n) => n),
    4,
    work,
    signal,
  );
  expect({ most, done }).toEqual({ most: 4, done: 20 });
});

test('items that cannot be listed to their end stop what is under way, and it is waited for', async () => {
  async function* items(): AsyncGenerator<number> {
    yield 1;
    await sleep(5);
    throw new Error('no more');
  }
  let stopped = false;
  const work = async (_item: number, stop: AbortSignal): Promise<void> => {
    await new Promise((resolve) => stop.addEventListener('abort', resolve, { once: true }));
    await sleep(5);
    stopped = true;
  };
  await expect(runBounded(items(), 4, work, signal)).rejects.toThrow('no more');
  expect(stopped).toBe(true);
});
