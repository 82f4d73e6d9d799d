/** Steps of `npm test` that go on beside whole runs: they and all they start yield the processor. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Background, makeBackground } from '../cluster/background.ts';
import { cpuHierarchy, killCgroup, makeCgroup, processesIn, removeCgroup } from '../cluster/cgroups.ts';
import { startProcess } from '../cluster/processes.ts';
import { runCommand } from '../support/run-command.ts';

const hierarchy = cpuHierarchy ?? '';
const cluster = `ebb-like-a-cluster-${process.pid}`;
let background: Background;
let folder = '';

beforeEach(async () => {
  background = await makeBackground();
  folder = await mkdtemp(join(tmpdir(), 'ebbflow-background-'));
});
afterEach(async () => {
  await killCgroup(cluster);
  await removeCgroup(cluster);
  await background.remove();
  await rm(folder, { recursive: true });
});

/** The least weight on the way down to a process, as a part of what a cgroup has that nobody asked to yield. */
async function weightOf(cgroups: string): Promise<number> {
  const controllers = cgroups.split('\n').map((line) => line.split(':'));
  const own = controllers.find(([, names]) => names?.split(',').includes('cpu')) ?? controllers.at(-1);
  const parts = own?.[2]?.split('/').filter(Boolean) ?? [];
  const weights = parts.map(async (_, depth): Promise<number> => {
    const place = join(hierarchy, ...parts.slice(0, depth + 1));
    const read = async (name: string): Promise<number> => Number(await readFile(join(place, name), 'utf8'));
    return existsSync(join(place, 'cpu.shares'))
      ? (await read('cpu.shares')) / 1024
      : (await read('cpu.weight')) / 100;
  });
  return Math.min(1, ...(await Promise.all(weights)));
}

test('what a command starts has a small weight', async () => {
  let output = '';
  const onOutput = (text: string): void => void (output += text);
  const args = ['-c', 'sh -c "cat /proc/self/cgroup & wait"'];
  const signal = new AbortController().signal;
  const common = { cwd: '/', timeoutMs: 20_000, signal, say: () => undefined, onOutput };
  await runCommand({ ...common, command: 'sh', args, cgroup: background.membership });
  expect(await weightOf(output.trim())).toBeLessThan(0.5);
});

test('a cluster that is taken has a small weight, and its processes are still known to be its own', async () => {
  await makeCgroup(`${cluster}/control`);
  const spec = { name: 'etcd', command: 'sleep', args: ['600'], cgroup: `${cluster}/control` };
  const { pid } = startProcess(folder, spec);
  await expect.poll(() => processesIn(cluster), { timeout: 120_000 }).toEqual([pid]);
  await background.take(cluster);
  expect(await weightOf((await readFile(`/proc/${pid}/cgroup`, 'utf8')).trim())).toBeLessThan(0.5);
  expect(processesIn(cluster)).toEqual([pid]);
  await background.release();
  expect(await weightOf((await readFile(`/proc/${pid}/cgroup`, 'utf8')).trim())).toBe(1);
});

test('nothing is left of it, nor of one whose run was killed', async () => {
  const names = async (): Promise<string[]> =>
    (await readdir(hierarchy)).filter((name) => name.startsWith('ebb-background-'));
  const [own] = (await names()).filter((name) => name.endsWith(`-${process.pid}`));
  expect(own).toBeDefined();
  // No process has this number.
  await mkdir(join(hierarchy, 'ebb-background-4194305'));
  await background.remove();
  background = await makeBackground();
  expect(await names()).not.toContain('ebb-background-4194305');
  await background.remove();
  expect(await names()).not.toContain(own);
});
