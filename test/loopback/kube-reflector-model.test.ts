import { setTimeout as delay } from 'node:timers/promises';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { createKubeClient } from '../../operator/kube/http-client.ts';
import { Reflector } from '../../operator/kube/reflector.ts';
import { jobs } from '../../operator/kube/resource.ts';
import { Store } from '../../operator/kube/store.ts';
import type { Job } from '../../operator/kube/types.ts';
import { eventually } from '../support/fakeapi/eventually.ts';
import type { PlannedFault } from '../support/fakeapi/faults.ts';
import { Ledger, type Told } from '../support/fakeapi/ledger.ts';
import { FakeApi } from '../support/fakeapi/server.ts';

/** What happens on the server's side, one after the other. */
type Step =
  | { do: 'put'; name: string }
  | { do: 'delete'; name: string }
  | { do: 'tick' }
  | { do: 'compact' }
  | { do: 'cut' }
  | { do: 'wait'; ms: number };

const names = ['a', 'b', 'c'];
const name = fc.constantFrom(...names);
const after = fc.nat({ max: 3 });

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('put' as const), name }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('delete' as const), name }) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'tick' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'compact' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'cut' }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat({ max: 4 }) }) },
);

/** Faults that leave what was said before and can be gone on from. */
const harmlessFault: fc.Arbitrary<PlannedFault> = fc.oneof(
  fc.record({
    on: fc.constant('watch' as const),
    fault: fc.oneof(
      fc.record({
        kind: fc.constantFrom('halfLine', 'break', 'end', 'silent', 'errorLine', 'garbage'),
        after,
      }),
      fc.constantFrom(
        { kind: 'duplicate' as const },
        { kind: 'shred' as const },
        { kind: 'reset' as const },
        { kind: 'hang' as const },
        { kind: 'status' as const, code: 500 },
        { kind: 'status' as const, code: 429, reason: 'TooManyRequests' },
      ),
    ),
  }),
  fc.record({
    on: fc.constant('list' as const),
    fault: fc.constantFrom(
      { kind: 'reset' as const },
      { kind: 'hang' as const },
      { kind: 'halfBody' as const },
      { kind: 'status' as const, code: 503, plain: true },
      { kind: 'status' as const, code: 429, reason: 'TooManyRequests' },
    ),
  }),
);

/** Faults after which states in between may be gone for good: only a new list can help. */
const forgettingFault: fc.Arbitrary<PlannedFault> = fc.oneof(
  fc.record({
    on: fc.constant('watch' as const),
    fault: fc.oneof(
      fc.record({ kind: fc.constant('expire' as const), after }),
      fc.constant({ kind: 'status' as const, code: 410, reason: 'Expired' }),
    ),
  }),
  fc.record({
    on: fc.constant('list' as const),
    fault: fc.constant({ kind: 'status' as const, code: 410, reason: 'Expired' }),
  }),
);

interface Outcome {
  told: Told[];
  /** The whole truth: what an observer without faults would have been told after the first list. */
  truth: Told[];
}

async function play(steps: readonly Step[], faults: readonly PlannedFault[]): Promise<Outcome> {
  const api = new FakeApi({ bookmarkMs: 5 });
  await api.start();
  const client = createKubeClient({
    access: api.access,
    userAgent: 'test/1',
    retry: { baseMs: 1, maxMs: 1, attempts: 1 },
  });
  const store = new Store<Job>({ resource: jobs });
  const ledger = new Ledger();
  store.addHandler(ledger);
  api.plan(...faults);
  const stop = new AbortController();
  const reflector = new Reflector({
    client,
    resource: jobs,
    store,
    backoff: { baseMs: 1, maxMs: 4, resetMs: 1_000 },
    timing: { idleMs: 30, shortMs: 1, listMs: 30, watchMs: 150, watchGraceMs: 20 },
  });
  const running = reflector.run(stop.signal);
  try {
    await store.synced;
    let round = 0;
    for (const each of steps) {
      const path = 'name' in each ? `/apis/batch/v1/namespaces/n/jobs/${each.name}` : '';
      round += 1;
      switch (each.do) {
        case 'put': {
          const spec = { parallelism: round, template: { spec: { containers: [] } } };
          api.world.put(path, Object.assign({ metadata: { name: each.name, namespace: 'n' } }, { spec }));
          break;
        }
        case 'delete':
          api.world.delete(path);
          break;
        case 'tick':
          api.world.tick();
          break;
        case 'compact':
          api.world.compact();
          break;
        case 'cut':
          api.cutConnections();
          break;
        case 'wait':
          await delay(each.ms);
          break;
      }
    }
    await eventually(() => expect(store.lastResourceVersion).toBe(String(api.world.version)));
    const left = api.world.list('/apis/batch/v1/jobs');
    expect(store.list().toSorted(byName)).toEqual(left.toSorted(byName));
    const truth = new Ledger();
    for (const { type, object } of api.world.history) {
      if (type === 'ADDED') truth.added(object);
      else if (type === 'MODIFIED') truth.modified(object);
      else truth.deleted(object);
    }
    return { told: ledger.told, truth: truth.told };
  } finally {
    stop.abort();
    await running;
    await client.close();
    await api.stop();
  }
}

function byName(a: { metadata: { name?: string } }, b: { metadata: { name?: string } }): number {
  return (a.metadata.name ?? '').localeCompare(b.metadata.name ?? '');
}

it('tells every state exactly once and in order, whatever passing faults meet it', async () => {
  // Many a list was refused before the first one worked: that is no reason to list again after one fault of a watch.
  const refused: PlannedFault = { on: 'list', fault: { kind: 'status', code: 503, plain: true } };
  const late: PlannedFault = { on: 'watch', fault: { kind: 'halfLine', after: 0 } };
  const example: [Step[], PlannedFault[]] = [
    [1, 2, 3, 4].map(() => ({ do: 'put', name: 'a' })),
    [refused, refused, refused, refused, refused, late],
  ];
  const calm = step.filter((each) => each.do !== 'compact');
  await fc.assert(
    fc.asyncProperty(
      fc.array(calm, { minLength: 5, maxLength: 40 }),
      fc.array(harmlessFault, { maxLength: 8 }),
      async (steps, faults) => {
        const { told, truth } = await play(steps, faults);
        // A deletion is told with the last state known, not with that of the deletion itself.
        expect(told.map(withoutDeletedVersion)).toEqual(truth.map(withoutDeletedVersion));
      },
    ),
    { numRuns: 40, examples: [example] },
  );
});

it('never goes back, repeats or ends wrong, even when history is lost', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 40 }),
      fc.array(fc.oneof(harmlessFault, forgettingFault), { maxLength: 8 }),
      async (steps, faults) => {
        const { told, truth } = await play(steps, faults);
        const real = new Set(truth.map((each) => `${each.name} ${each.resourceVersion}`));
        for (const each of names) {
          const mine = told.filter((one) => one.name === each);
          const states = mine.filter((one) => one.change !== 'deleted');
          const versions = states.map((one) => Number(one.resourceVersion));
          // Strictly growing: no state comes twice, none comes late, and none was made up.
          expect(versions).toEqual([...new Set(versions)].toSorted((a, b) => a - b));
          for (const one of states) expect(real).toContain(`${one.name} ${one.resourceVersion}`);
          // added, modified…, deleted, added…: the grammar of a life, with one UID per life.
          let living: string | undefined;
          for (const one of mine) {
            expect(living).toBe(one.change === 'added' ? undefined : one.uid);
            living = one.change === 'deleted' ? undefined : one.uid;
          }
        }
      },
    ),
    { numRuns: 40 },
  );
});

function withoutDeletedVersion(one: Told): Told {
  return one.change === 'deleted' ? { ...one, resourceVersion: '' } : one;
}
