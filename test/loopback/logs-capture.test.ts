import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../operator/kube/clock.ts';
import { createKubeClient } from '../../operator/kube/http-client.ts';
import { silentLogger } from '../../operator/kube/logger.ts';
import { PodsLogCapture } from '../../operator/results/logs/capture.ts';
import type { ReaderTiming } from '../../operator/results/logs/logreader.ts';
import { MASK } from '../../operator/results/logs/redact.ts';
import { attemptRef, FakeContainerLog, podOf, textLines, timeOf } from '../support/results/fakepods.ts';
import { MemoryStore } from '../support/results/memorystore.ts';
import { readBack } from '../support/results/readback.ts';

const ref = attemptRef();
const timing: Partial<ReaderTiming> = {
  minDelayMs: 1,
  maxDelayMs: 20,
  patientDelayMs: 20,
  lingerMs: 150,
  idleMs: 150,
};
const stops: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(1);
}

/** What the server does with the n-th request for a log instead of serving it. */
type Fault = 'reset' | 'half' | 'stall' | 'sentence' | 'error' | 'refuse' | undefined;

async function serve(
  log: FakeContainerLog,
  fault: (nth: number) => Fault,
): Promise<{ url: string; server: Server; count: () => number }> {
  let count = 0;
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const nth = count;
    count += 1;
    const query = new URL(request.url ?? '', 'http://x').searchParams;
    const follow = query.get('follow') === 'true';
    const wrong = fault(nth);
    if (query.get('timestamps') !== 'true') response.writeHead(400).end();
    else if (wrong === 'error') response.writeHead(500).end('internal error, proxy: dial tcp: i/o timeout');
    else if (wrong === 'refuse') request.socket.destroy();
    else if (wrong === 'sentence')
      response.end('failed to try resolving symlinks in path "/var/log/pods": lstat: no such file');
    else {
      const sinceTime = query.get('sinceTime') ?? undefined;
      let sent = 0;
      while (!response.destroyed) {
        const body = log.body(sinceTime);
        const stop = wrong === undefined ? body.length : Math.floor(body.length / 2) + 3;
        if (stop > sent) response.write(body.subarray(sent, stop));
        sent = Math.max(sent, stop);
        if (wrong === 'reset') {
          await sleep(5);
          request.socket.destroy();
        }
        if (wrong === 'half' || (wrong === undefined && (!follow || log.ended))) break;
        await sleep(2);
      }
      response.end();
    }
  };
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  stops.push(() => new Promise((resolve) => server.close(resolve)));
  stops.push(async () => server.closeAllConnections());
  return { url: `http://127.0.0.1:${address.port}`, server, count: () => count };
}

async function capture(
  log: FakeContainerLog,
  fault: (nth: number) => Fault = () => undefined,
): Promise<{ store: MemoryStore; capture: PodsLogCapture; count: () => number }> {
  const { url, count } = await serve(log, fault);
  const client = createKubeClient({
    access: { server: url, namespace: 'team', authorization: async () => undefined },
    userAgent: 'test/0',
  });
  const store = new MemoryStore();
  const subject = new PodsLogCapture({
    store,
    cluster: 'test',
    readLog: (options) => client.podLog(options),
    clock: systemClock,
    logger: silentLogger,
    timing,
  });
  stops.unshift(() => client.close());
  stops.unshift(() => subject.stop());
  return { store, capture: subject, count };
}

const whole = (log: FakeContainerLog): string =>
  log.lines.map(({ bytes }) => `${bytes.toString('latin1')}\n`).join('');

test('a log that grows while it is followed is stored whole, with a container that ends', async () => {
  const log = new FakeContainerLog();
  const { store, capture: subject } = await capture(log);
  subject.observe(ref, podOf(ref, 'Running', { main: 'running' }));
  const all = textLines(300);
  for (let n = 0; n < all.length; n += 30) {
    log.lines = all.slice(0, n + 30);
    await sleep(3);
  }
  log.ended = true;
  expect(subject.settled(ref.podUID)).toBe(false);
  subject.observe(ref, podOf(ref, 'Succeeded', { main: 0 }));
  await until(() => subject.settled(ref.podUID));
  const stored = await readBack(store, 'test', ref, 'main');
  expect(stored.bytes.toString('latin1')).toBe(whole(log));
  expect(stored.times).toEqual(all.map(({ time }) => time));
  expect(stored.index).toMatchObject({ complete: true, gaps: [], capture: 'PodsLog' });
});

test.each(['reset', 'half', 'stall', 'sentence', 'error', 'refuse'] as const)(
  'a stream that goes wrong five times (%s) costs nothing',
  async (kind) => {
    const log = new FakeContainerLog();
    log.lines = textLines(500);
    const { store, capture: subject, count } = await capture(log, (nth) => (nth < 5 ? kind : undefined));
    subject.observe(ref, podOf(ref, 'Running', { main: 'running' }));
    await until(() => count() >= 4);
    log.ended = true;
    subject.observe(ref, podOf(ref, 'Succeeded', { main: 0 }));
    await until(() => subject.settled(ref.podUID));
    const stored = await readBack(store, 'test', ref, 'main');
    expect(stored.bytes.toString('latin1')).toBe(whole(log));
    expect(stored.index).toMatchObject({ complete: true, gaps: [] });
  },
);

test('a sentence that never becomes a log is not stored as one; the index says what came instead', async () => {
  const log = new FakeContainerLog();
  log.ended = true;
  const { store, capture: subject } = await capture(log, () => 'sentence');
  subject.observe(ref, podOf(ref, 'Succeeded', { main: 0 }));
  const since = subject.conclude(ref.runUID);
  await subject.finish(ref.podUID, { since, idleMs: 30_000, maxMs: 60_000 }, AbortSignal.timeout(60_000));
  const stored = await readBack(store, 'test', ref, 'main');
  expect(stored.bytes.length).toBe(0);
  expect(stored.index.complete).toBe(false);
  expect(stored.index.gaps[0]?.reason).toContain('failed to try resolving symlinks');
});

test('binary bytes, no newline at the end, and a line of three megabytes come back byte for byte', async () => {
  const log = new FakeContainerLog();
  const binary = Buffer.from(Array.from({ length: 256 }, (_, n) => (n === 10 ? 11 : n)));
  log.lines = [
    { time: timeOf(0), bytes: binary },
    { time: timeOf(1), bytes: Buffer.alloc(3_000_000, 'x ') },
    { time: timeOf(2), bytes: Buffer.alloc(0) },
    { time: timeOf(3), bytes: Buffer.from('no newline') },
  ];
  log.unterminated = true;
  log.ended = true;
  const { store, capture: subject } = await capture(log);
  subject.observe(ref, podOf(ref, 'Failed', { main: 1 }));
  await until(() => subject.settled(ref.podUID));
  const stored = await readBack(store, 'test', ref, 'main');
  expect(stored.bytes.equals(Buffer.from(whole(log).slice(0, -1), 'latin1'))).toBe(true);
  expect(stored.index.complete).toBe(true);
  expect(Math.max(...stored.index.chunks.map(({ rawLen }) => rawLen))).toBeLessThanOrEqual(1024 * 1024);
});

test('secrets are masked before they are stored', async () => {
  const log = new FakeContainerLog();
  log.lines = [{ time: timeOf(0), bytes: Buffer.from('login with password=hunter22 done') }];
  log.ended = true;
  const { store, capture: subject } = await capture(log);
  subject.observe(ref, podOf(ref, 'Succeeded', { main: 0 }));
  await until(() => subject.settled(ref.podUID));
  expect((await readBack(store, 'test', ref, 'main')).bytes.toString()).toBe(
    `login with password=${MASK} done\n`,
  );
});

test('a private key across a broken stream stays masked', async () => {
  const log = new FakeContainerLog();
  const body = Array.from({ length: 40 }, (_, n) => `MIIEvQIBADANBgkqhkiG9w0BAQEFAASC${n}`);
  const lines = ['-----BEGIN PRIVATE KEY-----', ...body, '-----END PRIVATE KEY-----', 'epoch 1'];
  log.lines = lines.map((text, n) => ({ time: timeOf(n, 100), bytes: Buffer.from(text) }));
  log.ended = true;
  const { store, capture: subject } = await capture(log, (nth) => (nth < 3 ? 'half' : undefined));
  subject.observe(ref, podOf(ref, 'Running', { main: 'running' }));
  await sleep(30);
  subject.observe(ref, podOf(ref, 'Succeeded', { main: 0 }));
  await until(() => subject.settled(ref.podUID));
  const text = (await readBack(store, 'test', ref, 'main')).bytes.toString();
  expect(text).toBe(`${`${MASK}\n`.repeat(42)}epoch 1\n`);
});

test('while the store refuses, memory stays bounded and the kubelet keeps the log; then everything is stored', async () => {
  const log = new FakeContainerLog();
  log.lines = Array.from({ length: 8000 }, (_, n) => ({
    time: timeOf(n),
    bytes: Buffer.alloc(1000, 97 + (n % 26)),
  }));
  log.pieceBytes = 16 * 1024;
  let served = 0;
  const store = new MemoryStore();
  const subject = new PodsLogCapture({
    store,
    cluster: 'test',
    readLog: async function* (options) {
      for await (const bytes of log.read(options)) {
        served += bytes.length;
        yield bytes;
      }
    },
    clock: systemClock,
    logger: silentLogger,
    timing,
  });
  stops.unshift(() => subject.stop());
  subject.observe(ref, podOf(ref, 'Running', { main: 'running' }));
  await until(() => store.objects.size > 0);
  store.refusing = true;
  await sleep(300);
  expect(served).toBeLessThan(4 * 1024 * 1024);
  store.refusing = false;
  log.ended = true;
  subject.observe(ref, podOf(ref, 'Succeeded', { main: 0 }));
  await until(() => subject.settled(ref.podUID));
  expect((await readBack(store, 'test', ref, 'main')).bytes.toString('latin1')).toBe(whole(log));
});

test('all containers of a pod are stored, and one that never started has no log', async () => {
  const log = new FakeContainerLog();
  log.lines = textLines(3);
  log.ended = true;
  const { store, capture: subject } = await capture(log);
  subject.observe(ref, podOf(ref, 'Failed', { fetch: 0, main: 1, agent: 'waiting', 'istio-proxy': 0 }));
  await until(() => subject.settled(ref.podUID));
  const stored = await readBack(store, 'test', ref, 'fetch');
  expect(stored.index.chunks.map(({ container }) => container)).toEqual(['main', 'fetch']);
  expect(stored.index.complete).toBe(true);
});

test('a pod that never started anything is settled as soon as it is over, or gone', async () => {
  const { capture: subject } = await capture(new FakeContainerLog());
  subject.observe(ref, podOf(ref, 'Pending', { main: 'waiting' }));
  await sleep(5);
  expect(subject.settled(ref.podUID)).toBe(false);
  subject.observeGone(ref.podUID);
  await until(() => subject.settled(ref.podUID));
});
