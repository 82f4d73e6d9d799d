/** Whether runs have ended before is asked of a store that may be down: that must not take the passes of all of them. */
import { expect, test } from 'vitest';
import { silentLogger } from '../../operator/kube/logger.ts';
import { Breaker } from '../../operator/pipelinerun/breaker.ts';
import { findEarlierRecord } from '../../operator/pipelinerun/commit.ts';
import { WorkerFacts } from '../../operator/pipelinerun/workerfacts.ts';
import { ResultsError } from '../../operator/results/errors.ts';
import { ManualClock } from '../support/fakeapi/manual-clock.ts';
import { runOf } from '../support/plan/observed.ts';

const spec = { stages: [{ name: 'work', container: { image: 'busybox:1', command: ['true'] } }] };

function world() {
  const clock = new ManualClock();
  const store = { down: true, broken: '', asked: [] as string[] };
  const deps = {
    facts: new WorkerFacts(clock, () => undefined),
    breaker: new Breaker(clock),
    results: {
      findRecord: async ({ uid }: { uid: string }) => {
        store.asked.push(uid);
        if (store.broken === uid)
          throw new ResultsError('not a run record', { code: 'BadRecord', transient: false });
        if (store.down) throw new Error('the store says 503');
        return undefined;
      },
    },
  };
  /** A pass of each of the runs, one after the other; says which of them the store was asked about. */
  const pass = async (...uids: string[]): Promise<string[]> => {
    const before = store.asked.length;
    for (const uid of uids)
      await findEarlierRecord(
        runOf(spec, undefined, { uid }),
        deps,
        silentLogger,
        new AbortController().signal,
      );
    return store.asked.slice(before);
  };
  return { clock, store, pass };
}

test('a store that has failed is asked about one run every few seconds, and about all others once it answers', async () => {
  const { clock, store, pass } = world();
  expect(await pass('a', 'b', 'c', 'd')).toEqual(['a']);
  await clock.advance(4_999);
  expect(await pass('a', 'b', 'c', 'd')).toEqual([]);
  await clock.advance(1);
  expect(await pass('a', 'b', 'c', 'd')).toEqual(['b']);
  store.down = false;
  await clock.advance(5_000);
  expect(await pass('a', 'b', 'c', 'd')).toEqual(['c', 'd']);
  // Those that were asked about in vain wait for longer, but not for ever.
  await clock.advance(60_000);
  expect(await pass('a', 'b', 'c', 'd')).toEqual(['a', 'b']);
  expect(await pass('a', 'b', 'c', 'd')).toEqual([]);
});

test('passes that go on at once do not all find out by themselves that it still fails', async () => {
  const { clock, store, pass } = world();
  await pass('a');
  await clock.advance(5_000);
  await Promise.all([pass('b'), pass('c'), pass('d')]);
  expect(store.asked).toEqual(['a', 'b']);
});

test('a store that answers with nonsense about one run is asked about the others', async () => {
  const { store, pass } = world();
  Object.assign(store, { down: false, broken: 'a' });
  expect(await pass('a', 'b')).toEqual(['a', 'b']);
});
