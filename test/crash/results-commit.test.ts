import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ResultsIndex } from '../../operator/results/index/database.ts';
import { rebuildIndex } from '../../operator/results/index/rebuild.ts';
import type { ResultsService } from '../../operator/results/results.ts';
import type { AttemptRef, CommitInput } from '../../operator/results/types.ts';
import {
  commitMarker,
  runPrefix,
  sealedManifestKey,
  workerManifestKey,
} from '../../workers/contract/keys.ts';
import { sealedManifest } from '../../workers/contract/manifests.ts';
import { attemptRef, FakeContainerLog, podOf, textLines, uid } from '../support/results/fakepods.ts';
import { MemoryStore } from '../support/results/memorystore.ts';
import { CLUSTER, createService, decidedRun, manifestOf } from '../support/results/runs.ts';

const signal = AbortSignal.timeout(60_000);
const trainer = attemptRef();
const copier = attemptRef({
  stage: 'arrange',
  kind: 'copy',
  podUID: uid(200),
  podName: 'nightly-arrange-1-def-0-uvw',
});
const prefix = runPrefix({ ...trainer, cluster: CLUSTER });
const input: CommitInput = {
  run: decidedRun(),
  attempts: [trainer, copier],
  nodes: { launched: 1, nodeSeconds: 61 },
  discrepancies: ['b', 'a'],
};

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(1);
}

function startService(objects: Map<string, Buffer>): { service: ResultsService; store: MemoryStore } {
  const log = new FakeContainerLog();
  log.lines = textLines(20);
  log.ended = true;
  const store = new MemoryStore(objects);
  return { store, service: createService(store, (options) => log.read(options)) };
}

function seed(objects: Map<string, Buffer>, ref: AttemptRef): void {
  objects.set(prefix + workerManifestKey(ref), Buffer.from(JSON.stringify(manifestOf(ref))));
}

function observePods({ logs }: ResultsService): void {
  logs.observe(trainer, podOf(trainer, 'Succeeded', { main: 0, agent: 0 }));
  logs.observe(copier, podOf(copier, 'Failed', { copy: 137 }));
}

async function world(objects: Map<string, Buffer>): Promise<Record<string, string>> {
  return Object.fromEntries([...objects].map(([key, value]) => [key, value.toString('latin1')]));
}

test('the operator dies at every write of a commit: the next one ends with the same bytes', async () => {
  const reference = new Map<string, Buffer>();
  seed(reference, trainer);
  const calm = startService(reference);
  await calm.service.start(signal);
  observePods(calm.service);
  const first = await calm.service.commit(input, signal);
  expect(first.logsComplete).toBe(true);
  expect(first.location).toBe(`s3://results/${prefix}`);
  await calm.service.stop();
  const expected = await world(reference);

  for (const when of ['before', 'after'] as const) {
    let survived = false;
    for (let deadly = 0; !survived; deadly += 1) {
      const objects = new Map<string, Buffer>();
      seed(objects, trainer);
      const { service, store } = startService(objects);
      let dead = false;
      store.onPut = (_key, at, nth) => {
        if (dead || (at === when && nth === deadly)) {
          dead = true;
          throw new Error('the operator died');
        }
      };
      observePods(service);
      const committing = service.commit(input, signal).then(
        () => true,
        () => false,
      );
      await Promise.race([committing, until(() => dead)]);
      await service.stop();
      survived = !dead;
      const heir = startService(objects);
      observePods(heir.service);
      const { record } = await heir.service.commit(input, signal);
      await heir.service.stop();
      expect(await world(objects), `died ${when} write ${deadly}`).toEqual(expected);
      expect(record).toEqual(first.record);
    }
  }
});

test('a worker that left no manifest is sealed with the reason its pod shows and the last byte of its log', async () => {
  const objects = new Map<string, Buffer>();
  const { service, store } = startService(objects);
  const pod = podOf(copier, 'Failed', { copy: 137 });
  service.logs.observe(copier, pod);
  await until(() => service.logs.settled(copier.podUID));
  const { record } = await service.commit({ ...input, attempts: [copier] }, signal);
  const sealed = sealedManifest.parse(store.json(prefix + sealedManifestKey(copier)));
  expect(sealed).toMatchObject({ complete: false, reason: 'Error', stage: 'arrange', index: 0 });
  expect(sealed.lastByte).toBeGreaterThan(20 * 'line 0'.length);
  expect(sealed.lastTime).toBe(textLines(20).at(-1)?.time);
  expect(record.stages[0]?.attempts[0]?.manifest.kind).toBe('sealed');
  await service.stop();
});

test('a pod that went before its log was read leaves a gap, and the run is not complete', async () => {
  const objects = new Map<string, Buffer>();
  const log = new FakeContainerLog();
  log.lines = textLines(20);
  const store = new MemoryStore(objects);
  const service = createService(store, (options) => log.read(options), 200);
  service.logs.observe(trainer, podOf(trainer, 'Running', { main: 'running' }));
  await until(() => log.reads.length > 0);
  log.removed = true;
  service.logs.observeGone(trainer.podUID);
  await until(() => service.logs.settled(trainer.podUID));
  const result = await service.commit({ ...input, attempts: [trainer] }, signal);
  expect(result.logsComplete).toBe(false);
  const logs = result.record.stages[1]?.attempts[0]?.logs;
  expect(logs).toMatchObject({ complete: false, lines: 20 });
  await service.stop();
});

test('attempts that this operator never heard of are found in the bucket', async () => {
  const objects = new Map<string, Buffer>();
  const before = startService(objects);
  before.service.logs.observe(trainer, podOf(trainer, 'Succeeded', { main: 0 }));
  await until(() => before.service.logs.settled(trainer.podUID));
  await before.service.stop();
  const after = startService(objects);
  const { record } = await after.service.commit({ ...input, attempts: [] }, signal);
  expect(record.stages[1]?.attempts).toMatchObject([
    { podUID: trainer.podUID, podName: trainer.podName, attempt: 1, logs: { complete: true, lines: 20 } },
  ]);
  await after.service.stop();
});

test('an existing record wins over what a later operator would write', async () => {
  const objects = new Map<string, Buffer>();
  const { service } = startService(objects);
  const first = await service.commit({ ...input, attempts: [] }, signal);
  const decided = decidedRun();
  const outcome = { result: 'Failed', reason: 'StageFailed', time: '2026-01-02T03:04:05.000Z' } as const;
  const other = { ...decided, status: { ...decided.status, outcome } };
  const again = startService(objects);
  const second = await again.service.commit({ ...input, run: other, attempts: [] }, signal);
  expect(second.record).toEqual(first.record);
  expect(await again.service.findRecord({ namespace: 'team', uid: uid(1) }, signal)).toEqual(first.record);
});

test('nothing about a log changes after the record, even when pods show up again', async () => {
  const objects = new Map<string, Buffer>();
  const log = new FakeContainerLog();
  log.lines = textLines(5);
  const store = new MemoryStore(objects);
  const service = createService(store, (options) => log.read(options), 200);
  service.logs.observe(trainer, podOf(trainer, 'Running', { main: 'running' }));
  await until(() => log.reads.length > 0);
  const { logsComplete } = await service.commit({ ...input, attempts: [trainer] }, signal);
  expect(logsComplete).toBe(false);
  const stored = await world(objects);
  log.ended = true;
  service.logs.observe(trainer, podOf(trainer, 'Succeeded', { main: 0 }));
  const heir = createService(new MemoryStore(objects), (options) => log.read(options));
  heir.logs.observe(trainer, podOf(trainer, 'Succeeded', { main: 0 }));
  await until(() => heir.logs.settled(trainer.podUID));
  await heir.stop();
  await service.stop();
  expect(await world(objects)).toEqual(stored);
});

test('secrets in the spec are masked in the record', async () => {
  const { service, store } = startService(new Map());
  await service.commit({ ...input, attempts: [] }, signal);
  const text = [...store.objects.values()].map((bytes) => bytes.toString('utf8')).join('\n');
  expect(text).toContain('--password=[redacted]');
  expect(text).not.toContain('hunter22');
  expect(text).not.toContain('not for the record');
});

test('an index that is dropped and made again from the bucket has equal rows', async () => {
  const objects = new Map<string, Buffer>();
  const { service, store } = startService(objects);
  await service.start(signal);
  for (let n = 1; n <= 30; n += 1) {
    const run = decidedRun({
      uid: uid(n),
      name: `run-${n}`,
      time: `2026-01-02T03:04:${String(n).padStart(2, '0')}Z`,
    });
    await service.commit(
      { ...input, run, attempts: [attemptRef({ runUID: uid(n), podUID: uid(1000 + n) })] },
      signal,
    );
  }
  const made = service.index?.dump();
  const fresh = new ResultsIndex(':memory:');
  const bad: string[] = [];
  const source = { store, cluster: CLUSTER, onBad: (key: string) => bad.push(key) };
  expect(await rebuildIndex(fresh, source, signal)).toBe(30);
  expect(fresh.dump()).toEqual(made);
  expect(await rebuildIndex(fresh, source, signal)).toBe(0);
  expect(bad).toEqual([]);
  expect(objects.has(commitMarker(CLUSTER, '2026-01-02T03:04:07Z', uid(7)))).toBe(true);
  // A marker without its record costs that row alone.
  objects.delete(`${runPrefix({ cluster: CLUSTER, namespace: 'team', runUID: uid(7) })}run.json`);
  const partial = new ResultsIndex(':memory:');
  expect(await rebuildIndex(partial, source, signal)).toBe(29);
  expect(bad).toHaveLength(1);
  await service.stop();
});
