/** However long a log goes on, its chunks and what is written about them stay few, and nobody sees its lines later. */
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { streamLogs } from '../../operator/results/api/logs.ts';
import { PodsLogCapture } from '../../operator/results/logs/capture.ts';
import { openChunk } from '../../operator/results/logs/chunk.ts';
import { ChunkSink } from '../../operator/results/logs/chunksink.ts';
import { ContainerLog } from '../../operator/results/logs/containerlog.ts';
import { CUT_BYTES, cutAfterMs, cutBytes } from '../../operator/results/logs/cut.ts';
import { AttemptIndex } from '../../operator/results/logs/logindex.ts';
import { RecentFrames } from '../../operator/results/logs/recent.ts';
import { systemClock } from '../../operator/kube/clock.ts';
import { silentLogger } from '../../operator/kube/logger.ts';
import { chunkSequence, decodeFrames } from '../../workers/contract/logframes.ts';
import type { ChunkEntry } from '../../workers/contract/manifests.ts';
import { chunkKey } from '../../workers/contract/keys.ts';
import { eventually } from '../support/fakeapi/eventually.ts';
import { ManualClock } from '../support/fakeapi/manual-clock.ts';
import { attemptRef, FakeContainerLog, podOf, textLines, timeOf, uid } from '../support/results/fakepods.ts';
import { MemoryStore } from '../support/results/memorystore.ts';
import { readBack } from '../support/results/readback.ts';
import { CLUSTER, createService, decidedRun } from '../support/results/runs.ts';

const ref = attemptRef();
const stops: (() => unknown)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const begun = Date.UTC(2026, 0, 1);
const at = (ms: number): string => new Date(begun + ms).toISOString().replace('Z', '000000Z');

test.each([
  [0, 3_000],
  [60_000, 3_000],
  [HOUR, 36_000],
  [4 * HOUR, 120_000],
  [30 * DAY, 120_000],
  // The clock of a node may be put back.
  [-HOUR, 3_000],
])('a byte of a log that is %i ms old waits %i ms at most', (age, wait) => {
  expect(cutAfterMs(at(0), at(age))).toBe(wait);
});

test.each([
  [0, 1],
  [100, 1],
  [200, 2],
  [1e6, 4],
])('after %i MiB a chunk is full at %i MiB', (stored, full) => {
  expect(cutBytes(stored * CUT_BYTES)).toBe(full * CUT_BYTES);
});

function openLog(clock: ManualClock) {
  const store = new MemoryStore();
  const chunks: ChunkEntry[] = [];
  const log = new ContainerLog({
    container: 'main',
    prefix: 'run/',
    attempt: ref,
    sink: new ChunkSink(store, { uploads: 1, bytes: 64 * CUT_BYTES }),
    clock,
    stored: { nth: 0, rawOff: 0, line0: 0, recent: new RecentFrames(), begun: undefined },
    onChunk: (entry) => chunks.push(entry),
    signal: new AbortController().signal,
  });
  stops.push(() => log.discard());
  const say = (text: string): void => log.add({ time: at(clock.monotonicMs() - begun), text, end: true });
  /** Whatever was to be sent by now is stored. */
  const quiet = async (): Promise<void> => {
    while (clock.pending === 0 && log.held.raw.length > 0) await turn();
  };
  return { store, chunks, log, say, quiet };
}

test('a log that says something every ten seconds has few chunks, and all its lines are in them', async () => {
  const clock = new ManualClock();
  const { chunks, log, say, quiet } = openLog(clock);
  const lines = 2_160;
  for (let line = 0; line < lines; line += 1) {
    say(`line ${line}`);
    await clock.advance(10_000);
    await quiet();
  }
  await log.flush();
  expect(chunks.reduce((sum, chunk) => sum + chunk.lines, 0)).toBe(lines);
  expect(chunks.length).toBeLessThan(lines / 4);
});

test('at the end of a run nothing waits longer than at its beginning', async () => {
  const clock = new ManualClock();
  const { chunks, log, say, quiet } = openLog(clock);
  say('first');
  await clock.advance(5 * HOUR);
  await quiet();
  say('second');
  await clock.advance(30_000);
  await quiet();
  expect(chunks).toHaveLength(1);
  log.hurry();
  await clock.advance(3_000);
  await quiet();
  expect(chunks).toHaveLength(2);
});

test('a line whose time is over while a chunk is on its way goes right after it', async () => {
  const clock = new ManualClock();
  const { store, chunks, log, say } = openLog(clock);
  const arrived = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const put = store.put.bind(store);
  store.put = async (...call) => {
    arrived.resolve();
    await gate.promise;
    return await put(...call);
  };
  say('first');
  await clock.advance(3_000);
  await arrived.promise;
  say('second');
  await clock.advance(3_000);
  expect(clock.pending).toBe(0);
  gate.resolve();
  await eventually(() => expect(chunks).toHaveLength(2));
  expect(log.held.raw).toEqual([]);
});

test('a chunk whose place is taken is not forgotten when nobody waited for it', async () => {
  const clock = new ManualClock();
  const { store, log, say } = openLog(clock);
  const key = chunkKey(ref, chunkSequence('main', 0));
  store.objects.set(`run/${key}`, Buffer.from('of another operator'));
  const refused = Promise.withResolvers<void>();
  const get = store.get.bind(store);
  store.get = (...call) => get(...call).finally(() => setImmediate(refused.resolve));
  say('first');
  await clock.advance(3_000);
  await refused.promise;
  await expect(log.flush()).rejects.toMatchObject({ code: 'ForeignChunk' });
});

test('a large index is written when a part of it is new, and what it does not have stays a small part', () => {
  const index = new AttemptIndex(new MemoryStore(), 'run/');
  const count = 20_000;
  let writes = 0;
  let last = 0;
  let most = 0;
  for (let seq = 0; seq < count; seq += 1) {
    const entry = { seq: seq * 8, container: 'main', rawOff: seq, rawLen: 1, zLen: 1, sha256: '', lines: 1 };
    if (!index.add({ ...entry, line0: seq, t0: '', t1: '' }, (seq + 1) * 120_000)) continue;
    most = Math.max(most, (seq - last) / Math.max(6_400, seq));
    [writes, last] = [writes + 1, seq];
  }
  expect(writes).toBeLessThan(count / 20);
  expect(most).toBeLessThanOrEqual(1 / 100);
});

test('what is stored of many logs is looked up a few at a time', async () => {
  const store = new MemoryStore();
  let [now, most] = [0, 0];
  const get = store.get.bind(store);
  store.get = async (key, options) => {
    if (!key.endsWith('logs.json')) return await get(key, options);
    now += 1;
    most = Math.max(most, now);
    return await get(key, options).finally(() => (now -= 1));
  };
  const log = new FakeContainerLog();
  log.ended = true;
  const capture = new PodsLogCapture({
    store,
    cluster: CLUSTER,
    readLog: (options) => log.read(options),
    clock: systemClock,
    logger: silentLogger,
  });
  stops.push(() => capture.stop());
  const refs = Array.from({ length: 40 }, (_, n) => attemptRef({ podUID: uid(200 + n) }));
  for (const one of refs) capture.observe(one, podOf(one, 'Succeeded', { main: 0 }));
  while (!refs.every(({ podUID }) => capture.settled(podUID))) await sleep(1);
  expect(most).toBe(4);
});

test('an operator that ends in order stores what it holds', async () => {
  const store = new MemoryStore();
  const log = new FakeContainerLog();
  log.lines = textLines(5);
  const service = createService(store, (options) => log.read(options));
  stops.push(() => service.stop());
  service.logs.observe(ref, podOf(ref, 'Running', { main: 'running' }));
  while (service.logs.live(ref.podUID)?.held.get('main') === undefined) await sleep(1);
  await service.logs.storeHeld(60_000);
  const keys = [...store.objects.keys()].filter((key) => key.includes('/c/'));
  const frames = await Promise.all(
    keys.map(async (key) => [...decodeFrames(await openChunk(store.objects.get(key) ?? Buffer.alloc(0)))]),
  );
  expect(frames.flat().map(({ bytes }) => String(bytes))).toEqual(
    log.lines.map(({ bytes }) => String(bytes)),
  );
});

test('who follows a log sees its lines before they are stored, and none of them twice', async () => {
  const store = new MemoryStore();
  let refusing = true;
  store.onPut = (key, when) => {
    if (refusing && when === 'before' && key.includes('/c/')) throw new Error('the store refuses chunks');
  };
  const log = new FakeContainerLog();
  log.lines = textLines(5);
  const service = createService(store, (options) => log.read(options));
  stops.push(() => service.stop());
  const run = decidedRun();
  const { namespace } = run.metadata;
  service.logs.observe(ref, podOf(ref, 'Running', { main: 'running' }));
  const signal = AbortSignal.timeout(60_000);
  const find = () => ({ namespace, uid: ref.runUID, object: run });
  const lines = streamLogs(service.library, find, { filter: {}, follow: true }, signal);
  const seen: string[] = [];
  const see = async (): Promise<boolean> => {
    const { value, done } = await lines.next();
    if (value && 'line' in value) seen.push(value.line.bytes.toString());
    return done !== true;
  };
  while (seen.length < 5) await see();
  refusing = false;
  log.lines = textLines(10);
  log.ended = true;
  service.logs.observe(ref, podOf(ref, 'Succeeded', { main: 0 }));
  const nodes = { launched: 0, nodeSeconds: 0 };
  const stored = service.commit({ run, attempts: [ref], nodes, discrepancies: [] }, signal);
  while (await see());
  await stored;
  expect(seen).toEqual(Array.from({ length: 10 }, (_, n) => `line ${n}`));
  const { times } = await readBack(store, CLUSTER, ref, 'main');
  expect(times).toEqual(Array.from({ length: 10 }, (_, n) => timeOf(n)));
});

test('a log of which this process does not know yet how much is stored is shown as it is stored', async () => {
  const store = new MemoryStore();
  const log = new FakeContainerLog();
  log.lines = textLines(5);
  const before = createService(store, (options) => log.read(options));
  before.logs.observe(ref, podOf(ref, 'Running', { main: 'running' }));
  while (before.logs.live(ref.podUID)?.held.get('main') === undefined) await sleep(1);
  await before.logs.storeHeld(60_000);
  // As it is written from time to time.
  const written = before.logs.live(ref.podUID)?.index;
  const key = [...store.objects.keys()].find((one) => one.endsWith('/logs.json')) ?? '';
  await before.stop();
  store.objects.set(key, Buffer.from(JSON.stringify(written)));
  const service = createService(store, (options) => log.read(options));
  stops.push(() => service.stop());
  // Many logs are looked up after a restart, and this one is not the first.
  let waiting = true;
  const gate = Promise.withResolvers<void>();
  const get = store.get.bind(store);
  store.get = async (...call) => {
    if (waiting && call[0].endsWith('logs.json')) await gate.promise;
    return await get(...call);
  };
  service.logs.observe(ref, podOf(ref, 'Running', { main: 'running' }));
  await turn();
  waiting = false;
  const run = decidedRun();
  const find = () => ({ namespace: run.metadata.namespace, uid: ref.runUID, object: run });
  const signal = AbortSignal.timeout(60_000);
  const seen: string[] = [];
  for await (const item of streamLogs(service.library, find, { filter: {}, follow: false }, signal))
    if ('line' in item) seen.push(item.line.bytes.toString());
  expect(seen).toEqual(log.lines.map(({ bytes }) => String(bytes)));
  gate.resolve();
});
