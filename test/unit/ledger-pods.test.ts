/** Whose node a node is, only pods that a run has made can say: anybody can put its label on a pod. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FINALIZER } from '../../operator/api/names.ts';
import type { KubeObject } from '../../operator/kube/types.ts';
import { eventually } from '../support/fakeapi/eventually.ts';
import { FakeApi } from '../support/fakeapi/server.ts';
import { jobOf, podOf, runOf, running, stamp } from '../support/plan/observed.ts';
import { Life, Records } from '../support/simulation/operator.ts';

const PODS = '/api/v1/namespaces/data/pods';
const RUN = '/apis/ebbflow.dev/v1alpha1/namespaces/data/pipelineruns/nightly';

let api: FakeApi;
let life: Life;

beforeEach(async () => {
  api = new FakeApi();
  await api.start();
  const node: KubeObject = { metadata: { name: 'node-a', uid: 'node-a', creationTimestamp: stamp(5) } };
  api.world.put('/api/v1/nodes/node-a', node);
});

afterEach(async () => {
  await life.stop();
  await api.stop();
});

function putRun(): void {
  const stages = [{ name: 'work', container: { image: 'busybox:1', command: ['true'] } }];
  const { metadata, ...rest } = runOf({ suspend: true, stages }, { startTime: stamp(0) });
  api.world.put(RUN, { ...rest, metadata: { ...metadata, finalizers: [FINALIZER] } });
}

/** A pod that runs on the node since so many seconds after the start of the run. */
function put(name: string, since: number, owned: boolean): void {
  const pod = podOf(jobOf('work'), { name, status: running(since) });
  const ownerReferences = owned ? pod.metadata.ownerReferences : [];
  api.world.put(`${PODS}/${name}`, {
    ...pod,
    metadata: { ...pod.metadata, ...(ownerReferences ? { ownerReferences } : {}) },
  });
}

const live = (): void => {
  life = new Life({ api, records: new Records(), now: () => new Date(stamp(60)) });
};
/** How often it was asked who else was on a node. */
const asked = (): number =>
  api.count(({ path, query }) => path === '/api/v1/pods' && query.has('fieldSelector'));
const launched = (): number => life.controller.ledger.figures('run-uid').launched;

test('a pod that only bears the label of a run claims no node for it, and may have had it first', async () => {
  putRun();
  put('mine', 10, false);
  live();
  const { caches } = life.controller;
  await eventually(() => expect(caches.hasSynced).toBe(true));
  expect(caches.pods.size).toBe(1);
  expect(launched()).toBe(0);
  put('own', 20, true);
  await eventually(() => expect(asked()).toBe(1));
  await eventually(() => expect(launched()).toBe(0));
});

test('a pod of a run claims it, also when its run is told after it', async () => {
  put('own', 20, true);
  live();
  const { caches } = life.controller;
  await eventually(() => expect(caches.hasSynced).toBe(true));
  expect(launched()).toBe(0);
  putRun();
  await eventually(() => expect(launched()).toBe(1));
});
