import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { systemClock } from '../../operator/kube/clock.ts';
import { silentLogger } from '../../operator/kube/logger.ts';
import { PodsLogCapture } from '../../operator/results/logs/capture.ts';
import type { ResultsStore } from '../../operator/results/types.ts';
import { attemptRef, FakeContainerLog, podOf, textLines } from '../support/results/fakepods.ts';
import { MemoryStore } from '../support/results/memorystore.ts';
import { readBack } from '../support/results/readback.ts';

const CLUSTER = 'test';
const timing = { minDelayMs: 1, maxDelayMs: 20, patientDelayMs: 20, lingerMs: 30, idleMs: 200 };

function startCapture(store: ResultsStore, log: FakeContainerLog): PodsLogCapture {
  const readLog = log.read.bind(log);
  return new PodsLogCapture({
    store,
    cluster: CLUSTER,
    readLog,
    clock: systemClock,
    logger: silentLogger,
    timing,
  });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(1);
}

/** A log of about 3 MiB with lines of 900 bytes, six of them per second: four chunks. */
function bigLog(): FakeContainerLog {
  const log = new FakeContainerLog();
  log.lines = textLines(3500, 170).map(({ time, bytes }, n) => ({
    time,
    bytes: Buffer.concat([bytes, Buffer.alloc(900, 65 + (n % 26))]),
  }));
  log.pieceBytes = 10_007;
  log.ended = true;
  return log;
}

const ref = attemptRef();
const whole = (log: FakeContainerLog): Buffer =>
  Buffer.concat(log.lines.flatMap(({ bytes }) => [bytes, Buffer.from('\n')]));

test('the operator dies before or after each write: no line is lost and none is doubled', async () => {
  const deaths: number[] = [];
  for (const when of ['before', 'after'] as const) {
    for (let deadly = 0; ; deadly += 1) {
      const log = bigLog();
      const store = new MemoryStore();
      let dead = false;
      store.onPut = (_key, at, nth) => {
        if (dead || (at === when && nth === deadly)) {
          dead = true;
          throw new Error('the operator died');
        }
      };
      const first = startCapture(store, log);
      first.observe(ref, podOf(ref, 'Succeeded', { main: 0 }));
      await until(() => dead || first.settled(ref.podUID));
      const survived = !dead;
      await first.stop();
      if (!survived) {
        const heir = new MemoryStore(store.objects);
        const second = startCapture(heir, log);
        second.observe(ref, podOf(ref, 'Succeeded', { main: 0 }));
        await until(() => second.settled(ref.podUID));
        await second.stop();
      }
      const stored = await readBack(new MemoryStore(store.objects), CLUSTER, ref, 'main');
      expect(stored.bytes.equals(whole(log)), `died ${when} write ${deadly}`).toBe(true);
      expect(stored.index.complete).toBe(true);
      expect(stored.index.gaps).toEqual([]);
      if (survived) {
        deaths.push(deadly);
        break;
      }
    }
  }
  // The first index, four chunks, the last index: that many places to die in, each before and after. A machine so slow
  // that a chunk is closed for its age makes more of them.
  for (const places of deaths) expect(places).toBeGreaterThanOrEqual(6);
  expect(deaths).toHaveLength(2);
});

test('a write of a dead operator that comes late is kept, and the rest is stored after it', async () => {
  const log = bigLog();
  const objects = new Map<string, Buffer>();
  const first = new MemoryStore(objects);
  const cut = startCapture(first, log);
  cut.observe(ref, podOf(ref, 'Succeeded', { main: 0 }));
  await until(() => cut.settled(ref.podUID));
  await cut.stop();
  const chunkKeys = [...objects.keys()].filter((key) => key.endsWith('.zst')).toSorted();
  const [lateKey] = chunkKeys.slice(1);
  const late = objects.get(lateKey ?? '');
  if (lateKey === undefined || late === undefined) throw new Error('too few chunks');
  for (const key of chunkKeys.slice(1)) objects.delete(key);
  for (const key of [...objects.keys()].filter((name) => name.endsWith('logs.json'))) objects.delete(key);

  // The heir cuts elsewhere, because it gets the log in a state with fewer lines; then the late write arrives.
  const heirLog = bigLog();
  const all = heirLog.lines;
  heirLog.lines = all.slice(0, 1500);
  heirLog.ended = false;
  const store = new MemoryStore(objects);
  let arrived = false;
  store.onPut = (key, when) => {
    if (key !== lateKey || when !== 'before' || arrived) return;
    arrived = true;
    objects.set(lateKey, late);
  };
  const second = startCapture(store, heirLog);
  second.observe(ref, podOf(ref, 'Running', { main: 'running' }));
  await until(() => arrived);
  heirLog.lines = all;
  heirLog.ended = true;
  second.observe(ref, podOf(ref, 'Succeeded', { main: 0 }));
  await until(() => second.settled(ref.podUID));
  await second.stop();
  const stored = await readBack(store, CLUSTER, ref, 'main');
  expect(stored.bytes.equals(whole(heirLog))).toBe(true);
  expect(objects.get(lateKey)?.equals(late)).toBe(true);
  expect(stored.index.complete).toBe(true);
});
