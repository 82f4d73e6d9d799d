/** A Move by several workers, and what must hold of it whatever died on the way. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { LABEL } from '../../../operator/api/names.ts';
import type { PipelineRun } from '../../../operator/api/types.ts';
import { jobs } from '../../../operator/kube/resource.ts';
import type { Job, Pod } from '../../../operator/kube/types.ts';
import { workerIndex } from '../../../operator/pipelinerun/podfacts.ts';
import { type Bed, conditionOf, stageOf, unique } from './bed.ts';
import { ownNode } from './burst.ts';
import { NAMESPACE } from './names.ts';
import { settled } from './outcome.ts';
import { type SlowStore, startSlowStore } from './slowstore.ts';

export const WORKERS = 3;

export interface Begun {
  readonly name: string;
  readonly uid: string;
  readonly slow: SlowStore;
  /** Each worker's pod, all of them copying. */
  readonly pods: readonly Pod[];
}

/** Applies a Move of so many objects by three workers, and waits until each of them copies. */
export async function beginMove(bed: Bed, objects: number, everyMs: number): Promise<Begun> {
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
  // A worker that is lost meanwhile is gone, and so is why, when the time is over.
  const ended = new Map<string, unknown>();
  for (;;) {
    const all = await bed.pods(uid, 'arrange');
    for (const { metadata, spec, status } of all)
      if (status?.phase === 'Failed') ended.set(metadata.name ?? '', { node: spec.nodeName, ...status });
    const pods = all.filter((pod) => pod.status?.phase === 'Running');
    if (new Set(pods.map(workerIndex)).size === WORKERS) return { name, uid, slow, pods };
    const run = await bed.get(name);
    if (Date.now() > end || run?.status?.outcome !== undefined) {
      const what = [run?.status, ...ended.values()].map((one) => JSON.stringify(one)).join('\n');
      throw new Error(`only ${pods.length} workers came at the same time: ${what}`);
    }
    await sleep(100);
  }
}

const objectsOf = (name: string, count: number): Record<string, string> =>
  Object.fromEntries(
    Array.from({ length: count }, (_, n) => [`${name}/${String(n).padStart(4, '0')}`, `object ${n}`]),
  );

export const podOf = ({ pods }: Begun, index: number): Pod => {
  const found = pods.find((pod) => workerIndex(pod) === index);
  if (!found) throw new Error(`there is no worker ${index}`);
  return found;
};

export async function jobsOf(bed: Bed, uid: string): Promise<Job[]> {
  return (await bed.client.list(jobs, NAMESPACE, { labelSelector: `${LABEL.runUID}=${uid}` })).items;
}

/** Everything has moved, and nothing more was copied twice than what was under way at a death. */
export async function expectMoved(
  bed: Bed,
  { name, slow }: Begun,
  count: number,
  deaths: number,
): Promise<PipelineRun> {
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
