/** What the agent makes of connections that come and go. */
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ShimListener } from '../../workers/train/listener.ts';

const lostShim = 100;
let folder = '';
let listener: ShimListener;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebbflow-listener-'));
  const paths = { socket: join(folder, 'agent.sock'), exitRecord: join(folder, 'exit.json') };
  listener = new ShimListener(paths, lostShim);
  await listener.listen();
});
afterEach(async () => {
  listener.close();
  await rm(folder, { recursive: true, force: true });
});

const lines = [
  { type: 'hello', version: 1 },
  { type: 'start', pid: 7, time: '2026-01-01T00:00:00.000Z' },
];

/** A shim that has said what it has to say. */
async function speak(): Promise<Socket> {
  const socket = connect(join(folder, 'agent.sock'));
  await new Promise((resolve) =>
    socket.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(''), resolve),
  );
  return socket;
}

const stillRunning = (): Promise<string> =>
  Promise.race([listener.ended.then(({ kind }) => kind), sleep(5 * lostShim, 'running')]);

test('a shim that went away and stays away was killed', async () => {
  const socket = await speak();
  while (!listener.connected) await sleep(5);
  socket.destroy();
  expect(await listener.ended).toEqual({ kind: 'killed', startTime: '2026-01-01T00:00:00.000Z' });
});

test('a shim that is back before its old connection is seen to be gone is not lost', async () => {
  const old = await speak();
  while (listener.startTime === undefined) await sleep(5);
  const fresh = await speak();
  await sleep(50);
  old.destroy();
  expect(await stillRunning()).toBe('running');
  fresh.destroy();
  expect((await listener.ended).kind).toBe('killed');
});

test('no number of connections ends the agent', async () => {
  const sockets = Array.from({ length: 600 }, () => connect(join(folder, 'agent.sock')));
  for (const socket of sockets) socket.on('error', () => undefined);
  // Each is taken or refused first; of those that were taken, too many are then let go.
  await Promise.all(
    sockets.map(
      (socket) => new Promise<void>((resolve) => socket.once('connect', resolve).once('close', resolve)),
    ),
  );
  await expect
    .poll(() => sockets.filter((socket) => socket.readyState === 'open').length, { timeout: 120_000 })
    .toBeLessThan(300);
  for (const socket of sockets) socket.destroy();
  await sleep(50);
  await speak();
  while (!listener.connected) await sleep(5);
});
