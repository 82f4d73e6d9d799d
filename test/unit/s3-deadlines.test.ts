import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { followSignal } from '../../workers/s3/aborting.ts';
import { Lane } from '../../workers/s3/lane.ts';
import { Deadlines } from '../../workers/s3/deadlines.ts';

test('deadlines come in order, each once, and not for those that ended', async () => {
  const deadlines = new Deadlines();
  const expired: string[] = [];
  const start = (name: string, milliseconds: number) =>
    deadlines.start({ expire: () => expired.push(name) }, milliseconds);
  start('a', 30);
  const end = start('never', 30);
  start('long', 60);
  await sleep(10);
  start('b', 30);
  end();
  await vi.waitFor(() => expect(expired).toHaveLength(3), { timeout: 120_000 });
  expect(expired.indexOf('a')).toBeLessThan(expired.indexOf('b'));
  start('c', 30);
  await vi.waitFor(() => expect(expired).toHaveLength(4), { timeout: 120_000 });
  expect(expired.toSorted()).toEqual(['a', 'b', 'c', 'long']);
});

test('a line of deadlines has one timer, however many come and go', () => {
  vi.useFakeTimers();
  try {
    const deadlines = new Deadlines();
    for (let n = 0; n < 100; n += 1) deadlines.start({ expire: () => undefined }, 60_000)();
    deadlines.start({ expire: () => undefined }, 60_000);
    expect(vi.getTimerCount()).toBe(1);
  } finally {
    vi.useRealTimers();
  }
});

test('a lane in which nobody waits any more has no timer', async () => {
  vi.useFakeTimers();
  try {
    const lane = new Lane();
    lane.refused(performance.now(), 60_000);
    const abort = new AbortController();
    const waits = [lane.enter(abort.signal), lane.enter(abort.signal)];
    expect(vi.getTimerCount()).toBe(1);
    abort.abort(new Error('the client is closed'));
    expect(vi.getTimerCount()).toBe(0);
    for (const wait of waits) await expect(wait).rejects.toThrow('the client is closed');
    // It goes on as before for those who come later.
    const admitted = lane.enter(new AbortController().signal);
    await vi.advanceTimersByTimeAsync(61_000);
    await admitted;
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test('who follows a signal is told once, and not after he left', () => {
  const abort = new AbortController();
  const told: unknown[] = [];
  const follow = (name: string) =>
    followSignal(abort.signal, { abort: (reason) => told.push([name, reason]) });
  follow('a');
  follow('b')();
  follow('c');
  abort.abort('why');
  expect(told).toEqual([
    ['a', 'why'],
    ['c', 'why'],
  ]);
});
