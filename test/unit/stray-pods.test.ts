/** Pods of a run that have lost their Job and the label of their run: only their names tell whose they are. */
import { beforeEach, describe, expect, test } from 'vitest';
import { FINALIZER, LABEL, MANAGED_BY } from '../../operator/api/names.ts';
import { createKubeClient } from '../../operator/kube/http-client.ts';
import type { Pod } from '../../operator/kube/types.ts';
import { NodeLedger } from '../../operator/nodes/ledger.ts';
import { RunCaches } from '../../operator/pipelinerun/caches.ts';
import { observe } from '../../operator/pipelinerun/observe.ts';
import { planRun } from '../../operator/pipelinerun/plan.ts';
import type { Observed } from '../../operator/pipelinerun/types.ts';
import { WorkerFacts } from '../../operator/pipelinerun/workerfacts.ts';
import { ManualClock } from '../support/fakeapi/manual-clock.ts';
import { at, jobOf, podOf, runOf, running, stamp } from '../support/plan/observed.ts';

const stages = [{ name: 'work', container: { image: 'busybox:1', command: ['true'] } }];
const run = runOf(
  { stages },
  {
    startTime: stamp(0),
    stages: [{ name: 'work', state: 'Running', attempt: 1, startTime: stamp(0) }],
  },
);
const other = runOf({ stages }, undefined, { name: 'nightly-too', uid: 'other-uid', resourceVersion: '6' });

/** What somebody has left of the labels and owners of a running pod of the run. */
function left(more: Partial<Pod['metadata']>): Pod {
  const pod = podOf(jobOf('work'), { status: running(10) });
  const name = `${jobOf('work').metadata.name}-0-ab1cd`;
  const labels = { [LABEL.managedBy]: MANAGED_BY };
  return { ...pod, metadata: { ...pod.metadata, name, uid: 'left', labels, ...more } };
}
const alone = { ownerReferences: [] };

let caches: RunCaches;
let clock: ManualClock;

beforeEach(() => {
  clock = new ManualClock();
  const access = { server: 'http://127.0.0.1:1', namespace: 'data', authorization: async () => undefined };
  const client = createKubeClient({ access, userAgent: 'test/0' });
  caches = new RunCaches({ client, clock });
  for (const { metadata, ...rest } of [other, run])
    caches.runs.upsert({ ...rest, metadata: { ...metadata, finalizers: [FINALIZER] } });
});

function observed(): Observed {
  const { runs, jobs, pods, nodes } = caches;
  return observe(
    run,
    {
      runs,
      jobs,
      pods,
      nodes,
      facts: new WorkerFacts(clock, () => undefined),
      pending: { latest: () => ({ podEvents: [], jobEvents: [] }), sync: () => undefined },
      ledger: new NodeLedger({ clock, onFinal: () => undefined }),
      nodeLostSeconds: 60,
    },
    at(100),
  );
}

describe("a pod whose Job is gone is its run's", () => {
  test.each<[string, Partial<Pod['metadata']>]>([
    ['without owner and label', alone],
    ['with the label of another run', { ...alone, labels: { [LABEL.runUID]: 'other-uid' } }],
    ['without its label while the garbage collector ends it', {}],
  ])('%s', (_what, more) => {
    const pod = left(more);
    caches.pods.upsert(pod);
    expect(caches.runUIDOf(pod), 'who hears of it').toBe('run-uid');
    expect(observed().pods).toEqual([pod]);
  });
});

test('it is ended before another attempt begins', () => {
  caches.pods.upsert(left(alone));
  expect(planRun(observed(), at(100)).actions).toMatchObject([
    { type: 'ConfirmJobGone' },
    { type: 'DeletePod', uid: 'left' },
  ]);
});

test('one that only looks like it is nobody’s', () => {
  const pod = left({ ...alone, name: 'nightly-work-1-01234567-0-ab1cd' });
  caches.pods.upsert(pod);
  expect(caches.runUIDOf(pod)).toBeUndefined();
  expect(observed().pods).toEqual([]);
});
