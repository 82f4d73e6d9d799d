import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { addressesOf } from '../cluster/addresses.ts';
import { NameTaken, NoSuchCluster, openCluster, startCluster } from '../cluster/cluster.ts';
import { destroyCluster, reapStale } from '../cluster/destroy.ts';
import { execute } from '../cluster/exec.ts';
import { signal } from '../cluster/identity.ts';
import { type ClusterState, listStates } from '../cluster/state.ts';

const bare = { karpenter: false, systemNode: false } as const;
const nameOf = (label: string) => `${label}-${process.pid}`;
const stateOf = (name: string) => listStates().find((state) => state.name === name);

afterEach(async () => {
  for (const state of listStates().filter(({ name }) => name.endsWith(`-${process.pid}`)))
    await destroyCluster(state);
});

/** Everything of a cluster that could be left on the machine. */
async function leftovers(state: ClusterState): Promise<string[]> {
  const { bridge } = addressesOf(state.id);
  const links = (await execute('ip', ['-o', 'link', 'show'])).stdout.split('\n');
  const namespaces = (await execute('ip', ['netns', 'list'])).stdout.split('\n');
  const cgroups = readdirSync('/sys/fs/cgroup').filter((name) =>
    existsSync(join('/sys/fs/cgroup', name, bridge)),
  );
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return [
    ...links.filter((line) => line.includes(`: ${bridge}:`) || line.includes(`: ${bridge}v`)),
    ...namespaces.filter((line) => line.startsWith(`${bridge}-`)),
    ...cgroups.map((name) => `cgroup ${name}`),
    ...mounts.filter((line) => line.includes(`${state.directory}/`)),
    ...(existsSync(state.directory) ? [state.directory] : []),
  ];
}

async function untilGone(state: ClusterState): Promise<void> {
  for (const end = performance.now() + 30_000; existsSync(state.directory); ) {
    if (performance.now() > end) throw new Error(`${state.directory} is still there`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** A process of its own that starts a cluster, and says so. */
async function startElsewhere(name: string, systemNode: boolean): Promise<ChildProcess> {
  const module = fileURLToPath(new URL('../cluster/cluster.ts', import.meta.url));
  const program = `
    const { startCluster } = await import(${JSON.stringify(module)});
    await startCluster({ name: ${JSON.stringify(name)}, karpenter: false, systemNode: ${systemNode} });
    console.log('up');
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  for await (const line of lines) if (line === 'up') return child;
  throw new Error('the other process ended without a cluster');
}

/** A process of its own that begins to take a cluster down and is killed once its supervisor is another one. */
async function beginToStopElsewhere(state: ClusterState): Promise<void> {
  const [destroy, states] = ['destroy', 'state'].map((name) =>
    JSON.stringify(new URL(`../cluster/${name}.ts`, import.meta.url).href),
  );
  const program = `
    const { destroyCluster } = await import(${destroy});
    const { readState } = await import(${states});
    const seen = ${JSON.stringify(state)};
    setInterval(() => {
      const now = readState(seen.directory);
      if (now && now.supervisor.pid !== seen.supervisor.pid) process.kill(process.pid, 'SIGKILL');
    }, 5);
    await destroyCluster(seen);
    process.exit(0);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' });
  const ended = await new Promise((resolve) => child.once('exit', (_, name) => resolve(name)));
  expect(ended).toBe('SIGKILL');
}

describe('a cluster', { timeout: 300_000 }, () => {
  it('stands beside another one, and each goes without a trace', async () => {
    const [one, two] = await Promise.all(
      ['one', 'two'].map((label) => startCluster({ ...bare, name: nameOf(label) })),
    );
    if (one === undefined || two === undefined) throw new Error('two were started');
    await one.kubectl(['create', 'configmap', 'mine']);
    const elsewhere = await two.kubectl(['get', 'configmaps', '-o', 'name']);
    expect(elsewhere).not.toContain('mine');
    const states = ['one', 'two'].map((label) => stateOf(nameOf(label)));
    await one.stop();
    await one.stop();
    expect(await two.kubectl(['get', '--raw', '/readyz'])).toBe('ok');
    await two.stop();
    for (const state of states) {
      if (state === undefined) throw new Error('it was listed');
      expect(await leftovers(state)).toEqual([]);
    }
  });

  it('keeps its name to itself, and can be opened by it', async () => {
    await using cluster = await startCluster({ ...bare, name: nameOf('named') });
    await expect(startCluster({ ...bare, name: cluster.name })).rejects.toThrow(NameTaken);
    const opened = await openCluster(cluster.name);
    expect(await opened.kubectl(['get', 'namespace', 'default', '-o', 'name'])).toBe('namespace/default\n');
    await expect(openCluster('nobody-has-this-name')).rejects.toThrow(NoSuchCluster);
  });

  it('ends when the process that started it is killed', async () => {
    const child = await startElsewhere(nameOf('orphan'), true);
    const state = stateOf(nameOf('orphan'));
    if (state === undefined) throw new Error('it is up');
    child.kill('SIGKILL');
    await untilGone(state);
    expect(await leftovers(state)).toEqual([]);
  });

  it('is taken down to the end when whoever began it is killed at it', async () => {
    await startCluster({ ...bare, name: nameOf('half') });
    const state = stateOf(nameOf('half'));
    if (state === undefined) throw new Error('it is up');
    await beginToStopElsewhere(state);

    await untilGone(state);
    expect(await leftovers(state)).toEqual([]);
  });

  it('is cleared away by the next one when its supervisor was killed with it', async () => {
    const child = await startElsewhere(nameOf('stale'), false);
    const state = stateOf(nameOf('stale'));
    if (state?.supervisor === null || state === undefined) throw new Error('it is supervised');
    signal(state.supervisor, 'SIGKILL');
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    await reapStale(() => {});
    expect(await leftovers(state)).toEqual([]);
  });
});
