/** The end of a run comes while its logs are not read to their end: what can still be read is waited for. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { PipelineRun } from '../../operator/api/types.ts';
import { type Clock, systemClock } from '../../operator/kube/clock.ts';
import type { ResultsService } from '../../operator/results/results.ts';
import type { CommitInput, CommitResult } from '../../operator/results/types.ts';
import { runPrefix, sealedManifestKey } from '../../workers/contract/keys.ts';
import { ManualClock } from '../support/fakeapi/manual-clock.ts';
import { attemptRef, FakeContainerLog, podOf, textLines, uid } from '../support/results/fakepods.ts';
import { MemoryStore } from '../support/results/memorystore.ts';
import { CLUSTER, commitWaits, createService, decidedRun } from '../support/results/runs.ts';

const ref = attemptRef();
const IDLE_MS = 30_000;

/** A run whose stage has failed: that its pod ever ran is not in its status. */
function failedRun(): PipelineRun {
  const run = decidedRun();
  const stages = run.status?.stages?.map((stage) =>
    stage.name === ref.stage ? { ...stage, state: 'Failed' as const, reason: 'Error' } : stage,
  );
  return { ...run, status: { ...run.status, ...(stages ? { stages } : {}) } };
}

const input: CommitInput = {
  run: failedRun(),
  attempts: [ref],
  nodes: { launched: 1, nodeSeconds: 1 },
  discrepancies: [],
};

function endedLog(): FakeContainerLog {
  const log = new FakeContainerLog();
  log.lines = textLines(20);
  log.ended = true;
  return log;
}

interface Bed {
  log: FakeContainerLog;
  store: MemoryStore;
  service: ResultsService;
}

function bed(log: FakeContainerLog, idleMs: number, clock?: Clock): Bed {
  const store = new MemoryStore();
  return { log, store, service: createService(store, (options) => log.read(options), idleMs, clock) };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(1);
}

/** Begins to commit; `ended` says whether that is over. */
function commit({ service }: Bed): { ended: () => boolean; result: Promise<CommitResult> } {
  let over = false;
  const result = service.commit(input, AbortSignal.timeout(60_000)).finally(() => {
    over = true;
  });
  result.catch(() => undefined);
  return { ended: () => over, result };
}

const whole = { complete: true, lines: 20 };
const logsOf = ({ record }: CommitResult) =>
  record.stages.find(({ name }) => name === ref.stage)?.attempts[0]?.logs;

/** Long enough for a commit that does not wait to be over. */
const turns = async (): Promise<void> => sleep(100);

test('a pod that has reported and that its kubelet has not shown to run yet has a log to wait for', async () => {
  const clock = new ManualClock();
  const world = bed(endedLog(), IDLE_MS, clock);
  world.service.logs.observe(ref, podOf(ref, 'Pending', { main: 'waiting' }));
  await turns();
  const committing = commit(world);
  await turns();
  await clock.advance(IDLE_MS / 2);
  await turns();
  expect(committing.ended()).toBe(false);
  world.service.logs.observe(ref, podOf(ref, 'Failed', { main: 1 }));
  expect(logsOf(await committing.result)).toMatchObject(whole);
  await world.service.stop();
});

test('one that it never shows to run has a log that nobody has read, not one without a line', async () => {
  const clock = new ManualClock();
  const { store, service } = bed(endedLog(), IDLE_MS, clock);
  service.logs.observe(ref, podOf(ref, 'Pending', { main: 'waiting' }));
  const waiting = commitWaits(store, ref);
  const committing = service.commit(input, AbortSignal.timeout(60_000));
  committing.catch(() => undefined);
  await waiting;
  await clock.advance(IDLE_MS + 1);
  expect(logsOf(await committing)).toMatchObject({ complete: false, lines: 0 });
  await service.stop();
});

/** The end of a pod whose worker has reported and that its kubelet still shows to run. */
async function finishRunning(log: FakeContainerLog) {
  const clock = new ManualClock();
  const world = bed(log, IDLE_MS, clock);
  const { logs } = world.service;
  logs.observe(ref, podOf(ref, 'Running', { main: 'running' }));
  await until(() => log.reads.length > 0);
  const since = logs.conclude(ref.runUID);
  const bounds = { since, idleMs: IDLE_MS, maxMs: 10 * IDLE_MS };
  let over = false;
  const index = logs.finish(ref.podUID, bounds, AbortSignal.timeout(60_000)).finally(() => {
    over = true;
  });
  index.catch(() => undefined);
  /** Lets time pass, in which the log is read to the end of a stream, or to a fault, at least once. */
  const pass = async (ms: number): Promise<void> => {
    await clock.advance(ms);
    const before = log.reads.length;
    await until(() => over || log.reads.length > before + 1);
  };
  return { world, logs, index, pass, ended: () => over };
}

test('a kubelet that shows the end of a container late, and serves its log meanwhile, costs nothing of it', async () => {
  const { world, logs, index, pass, ended } = await finishRunning(endedLog());
  for (let halves = 0; halves < 8; halves += 1) await pass(IDLE_MS / 2);
  expect(ended()).toBe(false);
  logs.observe(ref, podOf(ref, 'Succeeded', { main: 0 }));
  expect(await index).toMatchObject({ complete: true, gaps: [] });
  await world.service.stop();
});

test('a kubelet that never shows it is not waited for beyond the bounds of the commit', async () => {
  const { world, index, pass, ended } = await finishRunning(endedLog());
  for (let halves = 0; halves < 21 && !ended(); halves += 1) await pass(IDLE_MS / 2);
  const reason = 'CaptureUnfinished: the log could not be read to its end in time';
  expect(await index).toMatchObject({ complete: false, gaps: [{ container: 'main', reason }] });
  await world.service.stop();
});

test('a pod that has not ended when its run has is sealed with this reason', async () => {
  const clock = new ManualClock();
  const { service, store } = bed(new FakeContainerLog(), IDLE_MS, clock);
  service.logs.observe(ref, podOf(ref, 'Running', { main: 'running' }));
  const waiting = commitWaits(store, ref);
  const committing = service.commit(input, AbortSignal.timeout(60_000));
  committing.catch(() => undefined);
  await waiting;
  await clock.advance(IDLE_MS + 1);
  expect(logsOf(await committing)).toMatchObject({ complete: false });
  const key = runPrefix({ ...ref, cluster: CLUSTER }) + sealedManifestKey(ref);
  const sealed = await store.get(key, { signal: AbortSignal.timeout(60_000) });
  expect(JSON.parse(String(sealed))).toMatchObject({ reason: 'NotEnded', complete: false, lastByte: 0 });
  await service.stop();
});

test('a kubelet that does not serve the log either is given up sooner, and the index has its last words', async () => {
  const log = endedLog();
  log.fault = () => 'reset';
  const { world, index, pass, ended } = await finishRunning(log);
  // More than once: what came before the faults is stored first, and that is progress.
  for (let times = 0; times < 8 && !ended(); times += 1) await pass(IDLE_MS + 1);
  const reason = expect.stringMatching(
    /^CaptureUnfinished: .+ \(last error: Failed: the connection was reset\)$/,
  );
  expect(await index).toMatchObject({ complete: false, gaps: [{ container: 'main', reason }] });
  await world.service.stop();
});

test('a store that takes long to say what it has of a log costs nothing of it', async () => {
  const clock = new ManualClock();
  const world = bed(endedLog(), IDLE_MS, clock);
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const list = world.store.list.bind(world.store);
  world.store.list = async function* (...call) {
    await released;
    yield* list(...call);
  };
  world.service.logs.observe(ref, podOf(ref, 'Failed', { main: 1 }));
  const since = world.service.logs.conclude(ref.runUID);
  const bounds = { since, idleMs: IDLE_MS, maxMs: 10 * IDLE_MS };
  const finishing = world.service.logs.finish(ref.podUID, bounds, AbortSignal.timeout(60_000));
  await turns();
  await clock.advance(2 * IDLE_MS);
  await turns();
  release();
  expect(await finishing).toMatchObject({ complete: true, gaps: [] });
  await world.service.stop();
});

test('a kubelet that takes long to begin an answer is given more time with each try', async () => {
  const log = endedLog();
  log.answerMs = 150;
  const world = bed(log, 10_000);
  world.service.logs.observe(ref, podOf(ref, 'Failed', { main: 1 }));
  expect(logsOf(await commit(world).result)).toMatchObject(whole);
  expect(log.reads.length, 'the first tries were too short').toBeGreaterThan(1);
  await world.service.stop();
});

test('the log of a pod that is there is not given up before the run ends, however often it could not be read', async () => {
  const log = endedLog();
  let broken = true;
  log.fault = () => (broken ? 'reset' : undefined);
  const world = bed(log, 10_000);
  world.service.logs.observe(ref, podOf(ref, 'Failed', { main: 1 }));
  await until(() => log.reads.length > 20 || world.service.logs.settled(ref.podUID));
  broken = false;
  expect(logsOf(await commit(world).result)).toMatchObject(whole);
  await world.service.stop();
});

test('at the end of the run a log that cannot be read is given up, and the index says why', async () => {
  const log = endedLog();
  log.fault = () => 'sentence';
  const clock = new ManualClock();
  const world = bed(log, IDLE_MS, clock);
  world.service.logs.observe(ref, podOf(ref, 'Failed', { main: 1 }));
  const since = world.service.logs.conclude(ref.runUID);
  const bounds = { since, idleMs: IDLE_MS, maxMs: IDLE_MS };
  const index = await world.service.logs.finish(ref.podUID, bounds, AbortSignal.timeout(60_000));
  expect(index).toMatchObject({ complete: false, gaps: [{ container: 'main' }] });
  expect(index?.gaps[0]?.reason).toContain('unable to retrieve container logs');
  await world.service.stop();
});

test('a log that is silent when it ought to be read is given up with these words', async () => {
  const log = endedLog();
  log.answerMs = 60_000;
  const clock = new ManualClock();
  const { service } = bed(log, IDLE_MS, clock);
  service.logs.observe(ref, podOf(ref, 'Failed', { main: 1 }));
  await until(() => log.reads.length > 1);
  const since = service.logs.conclude(ref.runUID);
  const bounds = { since, idleMs: IDLE_MS, maxMs: IDLE_MS };
  const finishing = service.logs.finish(ref.podUID, bounds, AbortSignal.timeout(60_000));
  await clock.advance(IDLE_MS + 1);
  const reason = expect.stringContaining('(last error: StreamCut: the stream is silent)');
  expect(await finishing).toMatchObject({ gaps: [{ reason }] });
  await service.stop();
});

test('all logs of a run count down together, however few of them are closed at a time', async () => {
  const log = endedLog();
  log.answerMs = 60_000;
  const clock = new ManualClock();
  const world = bed(log, IDLE_MS, clock);
  const refs = Array.from({ length: 40 }, (_, n) =>
    attemptRef({ podUID: uid(1000 + n), podName: `pod-${n}` }),
  );
  for (const one of refs) world.service.logs.observe(one, podOf(one, 'Failed', { main: 1 }));
  await until(() => log.reads.length > 0);
  const waiting = commitWaits(world.store, ref);
  const committing = world.service.commit({ ...input, attempts: refs }, AbortSignal.timeout(120_000));
  committing.catch(() => undefined);
  await waiting;
  await clock.advance(IDLE_MS + 1);
  expect((await committing).logsComplete).toBe(false);
  await world.service.stop();
});

test('a log that is waited for is looked at a few times a second, and told of when it is settled', async () => {
  let looks = 0;
  const clock: Clock = {
    ...systemClock,
    monotonicMs: () => {
      looks += 1;
      return systemClock.monotonicMs();
    },
  };
  const log = new FakeContainerLog();
  const world = bed(log, IDLE_MS, clock);
  const { logs } = world.service;
  logs.observe(ref, podOf(ref, 'Running', { main: 'running' }));
  await until(() => log.reads.length > 0);
  const since = logs.conclude(ref.runUID);
  const bounds = { since, idleMs: IDLE_MS, maxMs: IDLE_MS };
  const before = looks;
  const finishing = logs.finish(ref.podUID, bounds, AbortSignal.timeout(60_000));
  const begun = performance.now();
  await sleep(1_000);
  expect((looks - before) / (performance.now() - begun), 'looks per millisecond').toBeLessThan(1 / 100);
  log.ended = true;
  logs.observe(ref, podOf(ref, 'Failed', { main: 1 }));
  await until(() => logs.settled(ref.podUID));
  const settledAfter = looks;
  expect(await finishing).toMatchObject({ complete: true });
  expect(looks, 'it is not asked again').toBe(settledAfter);
  await world.service.stop();
});
