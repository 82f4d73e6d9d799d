/**
 * kill -9 of everything that takes part in a run but the operator, while it goes on. The run still ends with the right outcome,
 * nothing is left, outputs are admitted once, and no object is copied again that was in the ledger.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PipelineRun } from '../../operator/api/types.ts';
import { events } from '../../operator/kube/resource.ts';
import { parseLedgerRow } from '../../workers/contract/ledger.ts';
import { unpackLines } from '../../workers/copy/frames.ts';
import { getObject } from '../../workers/s3/objects.ts';
import { type Bed, conditionOf, openBed, stageOf, unique } from '../support/e2e/bed.ts';
import { ownNode } from '../support/e2e/burst.ts';
import { NAMESPACE, RESULTS_BUCKET } from '../support/e2e/names.ts';
import { settled, succeeded } from '../support/e2e/outcome.ts';
import { killProcesses } from '../support/e2e/processes.ts';
import { startSlowStore } from '../support/e2e/slowstore.ts';
import { isWorking, writesItsName } from '../support/e2e/stages.ts';

let bed: Bed;
beforeAll(async () => {
  bed = await openBed();
});
afterAll(() => bed.close());

/** In the first attempt long enough for any fault, in a later one at once. */
const LONG_AT_FIRST = 'case "$POD" in *-work-1-*) sleep 75;; *) sleep 1;; esac';

/** The pod of a stage that is running, and where. */
async function workerOf(uid: string, stage = 'work'): Promise<{ uid: string; name: string; node: string }> {
  const [pod] = await bed.pods(uid, stage);
  return {
    uid: pod?.metadata.uid ?? '',
    name: pod?.metadata.name ?? '',
    node: pod?.spec.nodeName ?? '',
  };
}

/** The one output there may be is of the pod that status names. */
async function expectOneOutput(run: PipelineRun): Promise<void> {
  const { uid } = run.metadata;
  const record = await settled(bed, run);
  const [stage] = record.stages;
  const admitted = stage?.attempts.find(({ podUID }) => podUID === stage.admitted);
  expect(admitted, 'an admitted pod is one of the attempts').toBeDefined();
  expect(stageOf(run, 'work')?.admitted).toBe(admitted?.podUID);
  expect(await bed.keys('models', `${uid}/`)).toEqual([`${uid}/${admitted?.podName}`]);
}

describe('killed while a run goes on:', () => {
  type Fault = (node: string) => Promise<void>;
  const lost: readonly (readonly [string, Fault])[] = [
    ['a node whose containerd dies with its shims', (node) => kill(node, true)],
    ['a node whose kubelet dies', (node) => bed.cluster.faults.killKubelet(node)],
    ['a node as a whole', (node) => bed.cluster.faults.killNode(node)],
  ];
  const kill: (node: string, withShims: boolean) => Promise<void> = (node, withShims) =>
    bed.cluster.faults.killContainerd(node, { withShims });

  test.concurrent.each(lost)(
    '%s: the stage runs again on another, and is admitted once',
    async (_, fault) => {
      const name = unique('lost');
      const spec = { stores: bed.stores, stages: [writesItsName(bed, LONG_AT_FIRST, ownNode)] };
      const uid = await bed.apply(name, spec);
      await bed.until(name, 'running', isWorking);
      const first = await workerOf(uid);
      await fault(first.node);

      const run = await succeeded(bed, name);
      expect(stageOf(run, 'work')).toMatchObject({ attempt: 2, disruptions: 1 });
      expect(stageOf(run, 'work')?.failures ?? 0).toBe(0);
      await expectOneOutput(run);
      const record = await settled(bed, run);
      const [attempts] = record.stages.map((stage) => stage.attempts);
      expect(new Set(attempts?.map(({ nodeName }) => nodeName)).size, 'another node').toBe(2);
      const fieldSelector = `involvedObject.uid=${uid}`;
      const { items } = await bed.client.list(events, NAMESPACE, { fieldSelector });
      const retried = items.filter(({ reason }) => reason === 'StageRetried').map(({ message }) => message);
      expect(retried.join('\n')).toMatch(/NodeLost|Preempted/);
      // What the harness, as a cloud, sees only by its kubelet is given back here.
      await bed.cluster.faults.killNode(first.node).catch(() => undefined);
    },
  );

  test.concurrent('containerd of a node, which restarts: its containers go on, and nothing is tried again', async () => {
    const name = unique('restart');
    const spec = { stores: bed.stores, stages: [writesItsName(bed, 'sleep 12', ownNode)] };
    const uid = await bed.apply(name, spec);
    await bed.until(name, 'running', isWorking);
    const { node } = await workerOf(uid);
    await kill(node, false);
    await sleep(3000);
    await bed.cluster.faults.startContainerd(node);
    const run = await succeeded(bed, name);
    expect(stageOf(run, 'work')).toMatchObject({ attempt: 1 });
    expect(stageOf(run, 'work')?.disruptions ?? 0).toBe(0);
    await expectOneOutput(run);
  });

  test.concurrent('a worker that copies: the next one goes on after the last ledger segment', async () => {
    const name = unique('copy');
    const objects = Object.fromEntries(
      Array.from({ length: 500 }, (_, n) => [`${name}/${String(n).padStart(4, '0')}`, `object ${n}`]),
    );
    await bed.put('raw', objects);
    // A segment is written after 5 s, when about half of the objects are copied.
    const slow = await startSlowStore(bed.cluster, { copyEveryMs: 20 });
    const [lake] = bed.stores;
    const uid = await bed.apply(name, {
      stores: lake ? [{ ...lake, endpoint: slow.endpoint }] : [],
      stages: [
        {
          name: 'arrange',
          copy: {
            source: { bucket: 'raw', prefix: `${name}/` },
            destination: { bucket: 'lake', prefix: `${name}/to/` },
          },
        },
      ],
    });
    await bed.until(name, 'copying', (run) => stageOf(run, 'arrange')?.state === 'Running');
    const ledger = async (): Promise<string[]> =>
      (await bed.keys(RESULTS_BUCKET, `v1/e2e/data/${uid}/arrange/ledger/`)).filter((key) =>
        // The first segment only says that the worker has begun.
        /-(?!000000)\d{6}\.zst$/.test(key),
      );
    const end = Date.now() + 60_000;
    while ((await ledger()).length === 0 && Date.now() < end) await sleep(50);
    const first = await workerOf(uid, 'arrange');
    killProcesses(first.uid, (argv) => argv.includes('copy'));
    const atKill = new Map(slow.copies);

    const recorded = new Set<string>();
    for (const key of (await ledger()).filter((candidate) => candidate.includes(first.uid))) {
      const frame = await getObject(bed.store, { bucket: RESULTS_BUCKET, key }, AbortSignal.timeout(30_000));
      for (const line of await unpackLines(frame ?? Buffer.alloc(0)))
        recorded.add(parseLedgerRow(line).destination);
    }
    expect(recorded.size, 'the first worker had recorded a part').toBeGreaterThan(0);
    expect(atKill.size, 'and had not done everything').toBeLessThan(500);

    const run = await succeeded(bed, name);
    await slow.close();
    const again = [...slow.copies].filter(([, times]) => times > 1).map(([key]) => key);
    expect(
      again.filter((key) => recorded.has(key)),
      'copied again although recorded',
    ).toEqual([]);
    const copied = await bed.keys('lake', `${name}/to/`);
    expect(copied).toHaveLength(500);
    for (const n of [0, 250, 499]) {
      const key = String(n).padStart(4, '0');
      expect(await bed.read('lake', `${name}/to/${key}`)).toBe(objects[`${name}/${key}`]);
    }
    const record = await settled(bed, run);
    expect(record.stages[0]?.attempts.map(({ manifest }) => manifest.kind).toSorted()).toEqual([
      'sealed',
      'worker',
    ]);
    expect(record.stages[0]?.copy).toMatchObject({ planned: 500, failed: 0 });
  });

  test.concurrent('a command: the attempt fails with the signal, and a retry succeeds', async () => {
    const script = 'case "$POD" in *-work-1-*) sleep 600;; esac';
    const applyAndKill = async (name: string, more: object): Promise<string> => {
      const stores = bed.stores;
      const uid = await bed.apply(name, { stores, stages: [writesItsName(bed, script, more)] });
      await bed.until(name, 'running', isWorking);
      await sleep(500);
      killProcesses((await workerOf(uid)).uid, (argv) => argv[0] === 'sh');
      return uid;
    };
    const [once, twice] = [unique('killed'), unique('again')];
    const [uid] = await Promise.all([
      applyAndKill(once, {}),
      applyAndKill(twice, { retry: { failures: 1 } }),
    ]);

    const failed = await bed.finished(once);
    expect(conditionOf(failed, 'Succeeded')).toMatchObject({ status: 'False', reason: 'StageFailed' });
    expect(stageOf(failed, 'work')).toMatchObject({ state: 'Failed', reason: 'Error' });
    expect(stageOf(failed, 'work')?.message).toMatch(/SIGKILL|signal 9/);
    expect(await bed.keys('models', `${uid}/`)).toEqual([]);
    await settled(bed, failed);

    const run = await succeeded(bed, twice);
    expect(stageOf(run, 'work')).toMatchObject({ attempt: 2, failures: 1 });
    await expectOneOutput(run);
  });
});
