/** Tries to store a record: one after the other, each with its answer. */
import { expect, test } from 'vitest';
import { Commits } from '../../operator/pipelinerun/commits.ts';
import type { Stored } from '../../operator/pipelinerun/types.ts';

const refused: Stored = { ok: false, message: 'the store says 503' };

test('no try begins before something has come of the last one, also in a pass that began without its answer', async () => {
  const requeued: string[] = [];
  const commits = new Commits((key) => requeued.push(key));
  let tries = 0;
  const work = async (): Promise<Stored> => {
    tries += 1;
    return refused;
  };
  commits.begin('team/nightly', 'uid', work);
  expect(commits.answer('uid')).toBeUndefined();
  await commits.settled();
  commits.begin('team/nightly', 'uid', work);
  await commits.settled();
  expect(tries).toBe(1);
  expect(requeued).toEqual(['team/nightly']);
  expect(commits.answer('uid')).toEqual(refused);
  commits.forget('uid');
  commits.begin('team/nightly', 'uid', work);
  await commits.settled();
  expect(tries).toBe(2);
});
