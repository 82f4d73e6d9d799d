import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ByteBudget } from '../../workers/copy/budget.ts';

const never = new AbortController().signal;

test('never more is held than there is, whatever comes, and all are served', async () => {
  const budget = new ByteBudget(100);
  let held = 0;
  let most = 0;
  let done = 0;
  const sizes = Array.from({ length: 60 }, (_, n) => (n * 37) % 70);
  const work = (bytes: number) => async (): Promise<void> => {
    held += bytes;
    most = Math.max(most, held);
    await sleep(1);
    held -= bytes;
    done += 1;
  };
  await Promise.all(sizes.map((bytes) => budget.hold(bytes, work(bytes), never)));
  expect({ done, held }).toEqual({ done: 60, held: 0 });
  expect(most).toBeLessThanOrEqual(100);
  expect(most).toBeGreaterThan(60);
});

test('more than there is takes all there is; who comes later waits behind it', async () => {
  const budget = new ByteBudget(100);
  const order: string[] = [];
  const work = (name: string) => async (): Promise<void> => {
    order.push(`${name} begins`);
    await sleep(5);
    order.push(`${name} ends`);
  };
  await Promise.all([
    budget.hold(60, work('a'), never),
    budget.hold(1000, work('huge'), never),
    budget.hold(1, work('b'), never),
  ]);
  expect(order).toEqual(['a begins', 'a ends', 'huge begins', 'huge ends', 'b begins', 'b ends']);
});

test('work that fails gives back what it held; who is told to stop no longer waits', async () => {
  const budget = new ByteBudget(100);
  const fail = () => Promise.reject(new Error('no'));
  await expect(budget.hold(100, fail, never)).rejects.toThrow('no');
  const { promise: release, resolve } = Promise.withResolvers<void>();
  const first = budget.hold(60, () => release, never);
  const abort = new AbortController();
  const stopped = budget.hold(100, async () => 'ran', abort.signal);
  const behind = budget.hold(40, async () => 'ran', never);
  abort.abort(new Error('told to stop'));
  await expect(stopped).rejects.toThrow('told to stop');
  expect(await behind).toBe('ran');
  resolve();
  await first;
  expect(await budget.hold(100, async () => 'all of it', never)).toBe('all of it');
});
