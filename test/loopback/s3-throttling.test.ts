import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import type { Traffic } from '../../workers/s3/lane.ts';
import { spawnDouble, type DoubleProcess } from '../support/s3double/process.ts';

const program = fileURLToPath(new URL('../support/throttledchild.ts', import.meta.url));

const clients = 4;
/** Copies per client. */
const copies = 60;

let double: DoubleProcess | undefined;
let children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  children = [];
  await double?.stop();
});

interface Said {
  readonly done: number;
  readonly traffic: Traffic;
}

/** Starts a client and returns how to let it begin, and what it says in the end. */
async function startClient(endpoint: string): Promise<() => Promise<Said>> {
  const child = spawn(process.execPath, [program, endpoint, String(copies)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const lines = createInterface({ input: child.stdout });
  await once(lines, 'line');
  return async () => {
    const end = once(lines, 'line');
    child.stdin.end();
    const said: Said = JSON.parse(String(await end));
    return said;
  };
}

// How much of a limit is used depends on the machine here: test/unit/s3-lanes-share.test.ts and the benchmark look at that.
test('processes that share a limit below their first rate get all their copies through, and know what was refused', async () => {
  double = await spawnDouble({
    generated: [{ bucket: 'b', key: 'source', size: 100, seed: 1 }],
    limits: [{ requests: 'write', rate: 120, burst: 5 }],
  });
  const { endpoint } = double;
  const begin = await Promise.all(Array.from({ length: clients }, () => startClient(endpoint)));
  const said = await Promise.all(begin.map((go) => go()));
  const [limit] = (await double.stats()).limits;
  const sum = (counts: readonly number[] = []): number => counts.reduce((total, count) => total + count, 0);
  expect(sum(limit?.refused), 'the limit was met').toBeGreaterThan(0);
  expect(said.map(({ done }) => done)).toEqual(Array.from({ length: clients }, () => copies));
  expect(sum(limit?.admitted)).toBe(clients * copies);
  expect(sum(said.map(({ traffic }) => traffic.sent))).toBe(sum(limit?.admitted) + sum(limit?.refused));
  expect(sum(said.map(({ traffic }) => traffic.throttled))).toBe(sum(limit?.refused));
});
