import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { spawnDouble, type DoubleProcess } from '../support/s3double/process.ts';

const program = fileURLToPath(new URL('../support/throttledchild.ts', import.meta.url));

/** Copies per second that the store admits, for all clients together. */
const capacity = 300;
/** Seconds: the first ten are for finding the rate. */
const seconds = 25;

let double: DoubleProcess | undefined;
let children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  children = [];
  await double?.stop();
});

/** Starts so many clients, lets them begin together, and returns what each copied after the first ten seconds. */
async function runClients(endpoint: string, count: number): Promise<number[]> {
  const clients = Array.from({ length: count }, () => {
    const child = spawn(process.execPath, [program, endpoint, String(seconds)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    children.push(child);
    return { child, lines: createInterface({ input: child.stdout }) };
  });
  await Promise.all(clients.map(({ lines }) => once(lines, 'line')));
  const ends = clients.map(({ lines }) => once(lines, 'line'));
  for (const { child } of clients) child.stdin.end();
  return (await Promise.all(ends)).map(([line]) => Number(JSON.parse(String(line)).done));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

test.each([
  [1, 0.95],
  [4, 0.9],
])(
  'one rate limit, number of clients %i: at least %d of it is used, next to nothing refused, all have their share',
  async (clients, used) => {
    double = await spawnDouble({
      generated: [{ bucket: 'b', key: 'source', size: 100, seed: 1 }],
      // Half a second's worth may be saved up, which is for pauses of this machine.
      limits: [{ requests: 'write', rate: capacity, burst: capacity / 2 }],
    });
    const shares = await runClients(double.endpoint, clients);
    const [limit] = (await double.stats()).limits;
    const admitted = sum(limit?.admitted.slice(10, seconds - 1) ?? []);
    const refused = sum(limit?.refused.slice(10, seconds - 1) ?? []);
    expect(admitted / (capacity * (seconds - 11))).toBeGreaterThan(used);
    expect(refused / (admitted + refused)).toBeLessThan(0.02);
    expect(Math.min(...shares)).toBeGreaterThan(sum(shares) / clients / 2);
  },
  60_000,
);
