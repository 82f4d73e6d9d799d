/** A copy with several workers: its Job grows when it is planned, and the death of any part of it loses nothing. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { jobs } from '../../operator/kube/resource.ts';
import type { Job, Pod } from '../../operator/kube/types.ts';
import { LABEL } from '../../operator/api/names.ts';
import type { PipelineRun } from '../../operator/api/types.ts';
import { workerIndex } from '../../operator/pipelinerun/podfacts.ts';
import { type Bed, conditionOf, openBed, stageOf, unique } from '../support/e2e/bed.ts';
import { ownNode } from '../support/e2e/burst.ts';
import { NAMESPACE } from '../support/e2e/names.ts';
import { killOperator } from '../support/e2e/operator.ts';
import { settled } from '../support/e2e/outcome.ts';
import { killProcesses } from '../support/e2e/processes.ts';
import { type SlowStore, startSlowStore } from '../support/e2e/slowstore.ts';

let bed: Bed;
beforeAll(async () => {
  bed = await openBed();
});
afterAll(() => bed.close());

const WORKERS = 3;

interface Begun {
  readonly name: string;
  readonly uid: string;
  readonly slow: SlowStore;
  /** Each worker's pod, all of them copying. */
  readonly pods: readonly Pod[];
}

/** Applies a Move of so many objects by three workers, and waits until each of them copies. */
async function begin(objects: number, everyMs: number): Promise<Begun> {
  const name = unique('many');
  await bed.put('raw', objectsOf(name, objects));
  const slow = await startSlowStore(bed.cluster, { copyEveryMs: everyMs });
  const [lake] = bed.stores;
  const copy = {
    source: { bucket: 'raw', prefix: `${name}/` },
    destination: { bucket: 'lake', prefix: `${name}/to/` },
    rename: [{ match: '^(?<n>\\d+)$', replace: 'n={n}' }],
    mode: 'Move' as const,
  };
  const uid = await bed.apply(name, {
    stores: lake ? [{ ...lake, endpoint: slow.endpoint }] : [],
    stages: [{ name: 'arrange', workers: WORKERS, ...ownNode, copy }],
  });
  const end = Date.now() + 120_000;
  for (;;) {
    const pods = (await bed.pods(uid, 'arrange')).filter((pod) => pod.status?.phase === 'Running');
    if (new Set(pods.map(workerIndex)).size === WORKERS) return { name, uid, slow, pods };
    if (Date.now() > end)
      throw new Error(`only ${pods.length} workers came: ${JSON.stringify(await bed.get(name))}`);
    await sleep(100);
  }
}

const objectsOf = (name: string, count: number): Record<string, string> =>
  Object.fromEntries(
    Array.from({ length: count }, (_, n) => [`${name}/${String(n).padStart(4, '0')}`, `object ${n}`]),
  );

const podOf = ({ pods }: Begun, index: number): Pod => {
  const found = pods.find((pod) => workerIndex(pod) === index);
  if (!found) throw new Error(`there is no worker ${index}`);
  return found;
};

async function jobsOf(uid: string): Promise<Job[]> {
  return (await bed.client.list(jobs, NAMESPACE, { labelSelector: `${LABEL.runUID}=${uid}` })).items;
}

/** Everything has moved, and nothing more was copied twice than what was under way at a death. */
async function expectMoved({ name, slow }: Begun, count: number, deaths: number): Promise<PipelineRun> {
  const run = await bed.finished(name);
  await slow.close();
  expect(conditionOf(run, 'Succeeded'), JSON.stringify(run.status)).toMatchObject({ status: 'True' });
  expect(stageOf(run, 'arrange')).toMatchObject({
    state: 'Succeeded',
    reason: 'Completed',
    attempt: 1,
    workers: { wanted: WORKERS },
  });
  const copied = await bed.keys('lake', `${name}/to/`);
  expect(copied).toEqual(
    Array.from({ length: count }, (_, n) => `${name}/to/n=${String(n).padStart(4, '0')}`),
  );
  for (const n of [0, Math.floor(count / 2), count - 1])
    expect(await bed.read('lake', copied[n] ?? '')).toBe(`object ${n}`);
  expect(await bed.keys('raw', `${name}/`)).toEqual([]);
  const times = [...slow.copies].filter(([key]) => key.startsWith(`${name}/to/n=`)).map(([, each]) => each);
  expect(Math.max(...times)).toBeLessThanOrEqual(1 + deaths);
  expect(times.reduce((sum, each) => sum + each - 1, 0)).toBeLessThanOrEqual(64 * deaths);
  const record = await settled(bed, run);
  expect(record.stages[0]?.copy).toMatchObject({
    planned: count,
    copied: count,
    renamed: count,
    moved: count,
    failed: 0,
  });
  return run;
}

describe('three workers', () => {
  test.concurrent('kill -9 of one and of the operator: the others go on, and the bucket is whole', async () => {
    const begun = await begin(900, 20);
    expect((await jobsOf(begun.uid)).map(({ spec }) => [spec.completions, spec.parallelism])).toEqual([
      [WORKERS, WORKERS],
    ]);
    killProcesses(podOf(begun, 1).metadata.uid ?? '', (argv) => argv.includes('copy'));
    await killOperator(bed, { replaced: true });
    const run = await expectMoved(begun, 900, 1);
    expect(stageOf(run, 'arrange')?.workers?.failed).toBe(1);
    expect(stageOf(run, 'arrange')?.disruptions ?? 0).toBe(0);
  });

  test.concurrent('a node that dies: its workers go on elsewhere', async () => {
    const begun = await begin(450, 20);
    const { nodeName = '' } = podOf(begun, 2).spec;
    const lost = begun.pods.filter((pod) => pod.spec.nodeName === nodeName).length;
    await bed.cluster.faults.killNode(nodeName);
    const run = await expectMoved(begun, 450, lost);
    expect(stageOf(run, 'arrange')?.disruptions).toBe(lost);
  });
});
