/** How far a stage is, from what its workers say. */
import { describe, expect, test } from 'vitest';
import { describeProgress, sumProgress, withoutPace } from '../../operator/pipelinerun/progress.ts';
import type { ProgressRequest } from '../../workers/contract/workerapi.ts';

const said = (done: number, more: Partial<ProgressRequest> = {}): ProgressRequest => ({
  done,
  total: 1000,
  unit: 'objects',
  bytes: done * 10,
  totalBytes: 10_000,
  ...more,
});
const now = (word: ProgressRequest) => ({ said: word, age: 100 });

describe('the progress of a stage', () => {
  test('is the sum of what its workers have done, of what there is for all of them', () => {
    expect(sumProgress([now(said(100)), now(said(250)), now(said(0))])).toEqual({
      done: 350,
      total: 1000,
      unit: 'objects',
      bytes: 3500,
      totalBytes: 10_000,
    });
  });

  test('ends with the slowest worker, and not before those who have not begun', () => {
    const slow = said(100, { perSecond: 10, secondsLeft: 200 });
    const fast = said(400, { perSecond: 90, secondsLeft: 1 });
    expect(sumProgress([now(slow), now(fast)])).toMatchObject({ perSecond: 100, secondsLeft: 200 });
    expect(sumProgress([now(said(100, { perSecond: 9, secondsLeft: 1 }))])).toMatchObject({
      secondsLeft: 100,
    });
  });

  test('keeps what a worker did that has ended, and forgets its pace', () => {
    const ended = { said: said(500, { perSecond: 70, requests: 10, throttled: 10 }), age: 60_000 };
    const goes = now(said(100, { perSecond: 20, requests: 200, throttled: 3 }));
    expect(sumProgress([ended, goes])).toMatchObject({
      done: 600,
      perSecond: 20,
      secondsLeft: 20,
      throttledPercent: 2,
    });
  });

  test('has no pace where nothing moves, and none in the end', () => {
    expect(sumProgress([now(said(1000, { perSecond: 50 }))])).not.toHaveProperty('perSecond');
    const going = sumProgress([now(said(10, { perSecond: 1, requests: 1, throttled: 1 }))]);
    expect(withoutPace(going)).toEqual({
      done: 10,
      total: 1000,
      unit: 'objects',
      bytes: 100,
      totalBytes: 10_000,
    });
  });

  test.each([
    [{ done: 1, total: 3, unit: 'objects' }, '33 % of 3 objects'],
    [
      { done: 420, total: 1000, unit: 'objects', perSecond: 12.5, secondsLeft: 47 },
      '42 % of 1000 objects, 12.5/s, 47 s left',
    ],
    [
      { done: 1, total: 1000, unit: 'objects', perSecond: 1, secondsLeft: 999, throttledPercent: 2 },
      '0 % of 1000 objects, 1/s, 17 min left, 2 % throttled',
    ],
  ])('%j is said as %s', (progress, words) => {
    expect(describeProgress(progress)).toBe(words);
  });
});
