import { describe, expect, test } from 'vitest';
import { Postponed } from '../../workers/copy/postponed.ts';
import { Unavailable } from '../../workers/copy/problems.ts';

/** Counts how often it is asked whether the store does others. */
function make(answer: boolean) {
  let asked = 0;
  const postponed = new Postponed<number>(() => {
    asked += 1;
    return Promise.resolve(answer);
  });
  const fail = async (times: number): Promise<void> => {
    for (let n = 0; n < times; n += 1) await postponed.add(n, new Error('InternalError'));
  };
  return { postponed, fail, asked: () => asked };
}

describe('rows that fail one after the other', () => {
  test('are kept for the end up to 63, and nobody asks why', async () => {
    const { postponed, fail, asked } = make(false);
    await fail(63);
    postponed.succeeded();
    await fail(63);
    expect([postponed.rows.length, asked()]).toEqual([126, 0]);
  });

  test('end the stage with the 64th where the store does nothing else either', async () => {
    const { fail } = make(false);
    await fail(63);
    await expect(fail(1)).rejects.toThrow(Unavailable);
  });

  test('are kept up to 1,000 where it does others, which is asked once', async () => {
    const { postponed, fail, asked } = make(true);
    await Promise.all(Array.from({ length: 100 }, () => fail(10)));
    expect([postponed.rows.length, asked()]).toEqual([1_000, 1]);
    await expect(fail(1)).rejects.toThrow(Unavailable);
  });
});
