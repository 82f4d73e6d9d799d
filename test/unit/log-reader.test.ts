/** Logs of ended containers that cannot be read: they cost the API server little, and other logs nothing. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../operator/kube/clock.ts';
import { silentLogger } from '../../operator/kube/logger.ts';
import { ChunkSink } from '../../operator/results/logs/chunksink.ts';
import { ContainerLog } from '../../operator/results/logs/containerlog.ts';
import { Limiter } from '../../operator/kube/limiter.ts';
import { LogReader, READER_TIMING, type ReaderTiming } from '../../operator/results/logs/logreader.ts';
import { RecentFrames } from '../../operator/results/logs/recent.ts';
import { eventually } from '../support/fakeapi/eventually.ts';
import { attemptRef, FakeContainerLog, textLines, timeOf } from '../support/results/fakepods.ts';
import { MemoryStore } from '../support/results/memorystore.ts';

const HOUR_MS = 3_600_000;
const ref = attemptRef();
let stop = new AbortController();

afterEach(() => {
  stop.abort();
  stop = new AbortController();
});

/** Reads a container, from its end or before; one read after the end goes on at a time. */
function read(log: FakeContainerLog, timing: Partial<ReaderTiming>, ended: boolean) {
  const { signal } = stop;
  const finishing = new Limiter(1);
  const store = new MemoryStore();
  let streams = 0;
  const reader = new LogReader({
    target: { namespace: ref.namespace, pod: ref.podName, container: 'main' },
    readLog: (options) => log.read(options),
    log: new ContainerLog({
      container: 'main',
      prefix: 'run/',
      attempt: ref,
      sink: new ChunkSink(store, { uploads: 1, bytes: 1024 * 1024 }),
      clock: systemClock,
      stored: { nth: 0, rawOff: 0, line0: 0, recent: new RecentFrames(), begun: undefined },
      onChunk: () => undefined,
      signal,
    }),
    following: new Limiter(1),
    finishing,
    lingering: new Limiter(1),
    logger: silentLogger,
    timing: { ...READER_TIMING, ...timing },
    signal,
    onEndOfStream: () => {
      streams += 1;
    },
  });
  if (ended) reader.note('terminated');
  const result = reader.run();
  result.catch(() => undefined);
  return { reader, finishing, result, store, streams: () => streams };
}

const readEnded = (log: FakeContainerLog, timing: Partial<ReaderTiming>) => read(log, timing, true);

function endedLog(): FakeContainerLog {
  const log = new FakeContainerLog();
  log.lines = textLines(20);
  log.ended = true;
  return log;
}

test('while the run goes on, a log that cannot be read is tried more and more seldom; its end brings it forward', async () => {
  const log = endedLog();
  log.fault = (nth) => (nth === 0 ? 'reset' : undefined);
  const { reader, result } = readEnded(log, { minDelayMs: HOUR_MS, maxDelayMs: 1, patientDelayMs: HOUR_MS });
  await eventually(() => expect(log.reads).toHaveLength(1));
  // A hundred of the longest waits of a run that has ended.
  await sleep(100);
  expect(log.reads).toHaveLength(1);
  reader.conclude();
  expect(await result).toEqual({ complete: true });
});

test('a silent log is tried more and more seldom, too', async () => {
  const log = endedLog();
  log.answerMs = HOUR_MS;
  const timing = { lingerMs: 1, minDelayMs: HOUR_MS / 2, maxDelayMs: 1, patientDelayMs: HOUR_MS };
  const { reader, result } = readEnded(log, timing);
  await eventually(() => expect(log.reads[0]?.signal?.aborted).toBe(true));
  await sleep(100);
  expect(log.reads).toHaveLength(1);
  log.answerMs = 0;
  reader.conclude();
  expect(await result).toEqual({ complete: true });
});

test('a log that was silent once does not hold the place of those that are not', async () => {
  const log = endedLog();
  log.answerMs = HOUR_MS;
  const { finishing } = readEnded(log, { lingerMs: 1, minDelayMs: 1, maxDelayMs: 1, patientDelayMs: 1 });
  await eventually(() => expect(log.reads).not.toHaveLength(0));
  // Only the first read has it: it is free from then on, and whoever holds it keeps the silent log from nothing.
  await finishing.acquire(stop.signal);
  const before = log.reads.length;
  await eventually(() => expect(log.reads.length).toBeGreaterThan(before + 1));
});

test('what was read of a log that is given up is stored', async () => {
  const log = endedLog();
  log.fault = () => 'reset';
  const { reader, result, store } = readEnded(log, { minDelayMs: 1, maxDelayMs: 1, patientDelayMs: 1 });
  reader.conclude();
  expect(await result).toMatchObject({ complete: false });
  expect([...store.objects.keys()]).toHaveLength(1);
});

test('what came instead of a log is not told in its own words: it may be the rest of a line, and not masked', async () => {
  const log = endedLog();
  log.read = async function* () {
    yield Buffer.from('the end of a line with hunter22 in it\n');
  };
  const { reader, result } = readEnded(log, { minDelayMs: 1, maxDelayMs: 1, patientDelayMs: 1 });
  reader.conclude();
  const { reason } = { reason: '', ...(await result) };
  expect(reason).toMatch(/^NotALog: /);
  expect(`${reason} ${reader.lastError}`).not.toContain('hunter22');
});

/** Reads a container that ends by itself, up to the end of the stream that was followed. */
async function readToEnd(
  log: FakeContainerLog,
  timing: Partial<ReaderTiming> = { minDelayMs: HOUR_MS, patientDelayMs: HOUR_MS },
) {
  const reading = read(log, timing, false);
  await eventually(() => expect(reading.streams()).toBeGreaterThan(0));
  return reading;
}

/** The container is seen to end, then its pod goes; between the two the log was to be read once more. */
async function endAndGo(log: FakeContainerLog, { reader, result }: Awaited<ReturnType<typeof readToEnd>>) {
  reader.note('terminated');
  await eventually(() => expect(reader.lastError).toBeDefined());
  log.removed = true;
  reader.note('gone');
  return await result;
}

test('a log that was read to its end is whole, although its pod was gone when it was to be read once more', async () => {
  const log = endedLog();
  const reading = await readToEnd(log);
  log.removed = true;
  expect(await endAndGo(log, reading)).toEqual({ complete: true });
});

test.each([
  'unable to retrieve container logs for containerd://1234',
  'failed to try resolving symlinks in path "/var/log/pods/0.log": lstat: no such file or directory',
])('the same when the kubelet had removed the container before the pod: %s', async (words) => {
  const log = endedLog();
  const reading = await readToEnd(log);
  log.read = async function* () {
    yield Buffer.from(words);
  };
  expect(await endAndGo(log, reading)).toEqual({ complete: true });
});

test('a container that is removed while its pod stays is asked for some times, and what was read is whole', async () => {
  const log = endedLog();
  const { reader, result } = await readToEnd(log, { minDelayMs: 1, maxDelayMs: 1, patientDelayMs: 1 });
  log.fault = () => 'sentence';
  reader.note('terminated');
  reader.conclude();
  expect(await result).toEqual({ complete: true });
});

test('any other failure after the end of a stream may hide that the log went on: it is not whole', async () => {
  const log = endedLog();
  const reading = await readToEnd(log);
  log.fault = () => 'reset';
  expect(await endAndGo(log, reading)).toMatchObject({ complete: false });
});

test('the kubelet removes the container after more lines came: they were not the last ones', async () => {
  const log = endedLog();
  const reading = await readToEnd(log);
  log.read = async function* () {
    yield Buffer.from(`${timeOf(30)} one more\nunable to retrieve container logs for containerd://1234`);
  };
  expect(await endAndGo(log, reading)).toMatchObject({ complete: false });
});

test('the same when the stream that brings them hangs until the pod is gone', async () => {
  const log = endedLog();
  const reading = await readToEnd(log, { lingerMs: 1, minDelayMs: HOUR_MS, patientDelayMs: HOUR_MS });
  log.read = async function* ({ signal }) {
    yield Buffer.from(`${timeOf(30)} one more\n`);
    await sleep(HOUR_MS, undefined, signal === undefined ? {} : { signal });
  };
  expect(await endAndGo(log, reading)).toMatchObject({ complete: false });
});

test('the end of a followed stream in the middle of a line is not the end of the log', async () => {
  const log = endedLog();
  log.unterminated = true;
  const reading = await readToEnd(log);
  log.removed = true;
  expect(await endAndGo(log, reading)).toMatchObject({ complete: false });
});

test('a stream that ended by itself is no whole log while nobody has seen its container end', async () => {
  const { reader, result } = await readToEnd(endedLog());
  reader.note('gone');
  expect(await result).toMatchObject({ complete: false });
});
