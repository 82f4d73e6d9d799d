import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const root = '/sys/fs/cgroup';
export const isUnified = existsSync(join(root, 'cgroup.controllers'));

/** Mount points of cgroup file systems of one type. */
function mountsOf(type: 'cgroup' | 'cgroup2'): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => ({ path: line.split(' ')[4] ?? '', type: line.split(' - ')[1]?.split(' ')[0] }))
    .filter((mount) => mount.type === type && mount.path.startsWith(root))
    .map(({ path }) => path);
}

/** Every hierarchy that has to know a node's cgroup: one with cgroup v2, one per controller with v1. */
const hierarchies: readonly string[] = isUnified ? [root] : mountsOf('cgroup');

/** On a machine with both versions the container runtime makes its cgroups in the v2 tree as well. */
const everywhere: readonly string[] = [...new Set([...hierarchies, ...mountsOf('cgroup2')])];

/** The hierarchy whose membership says which processes belong to a cluster. */
const tracking = hierarchies.find((path) => path.endsWith('/pids')) ?? hierarchies[0] ?? root;

/** The hierarchy in which cgroups share the processor, if there is one. */
export const cpuHierarchy = isUnified
  ? root
  : hierarchies.find((path) => existsSync(join(path, 'cpu.shares')));

async function makeOne(hierarchy: string, path: string): Promise<void> {
  let folder = hierarchy;
  for (const part of path.split('/')) {
    const parent = folder;
    folder = join(parent, part);
    if (isUnified) {
      const controllers = readFileSync(join(parent, 'cgroup.controllers'), 'utf8').trim().split(' ');
      // Not all of them can be handed down everywhere; the kubelet names the one it misses.
      for (const name of controllers) {
        await writeFile(join(parent, 'cgroup.subtree_control'), `+${name}`).catch(() => {});
      }
    }
    if (existsSync(folder)) continue;
    await mkdir(folder, { recursive: true });
    if (!existsSync(join(folder, 'cpuset.cpus')) || isUnified) continue;
    // A new v1 cpuset is empty, and nothing may run in an empty one.
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      await writeFile(join(folder, file), readFileSync(join(parent, file), 'utf8').trim());
    }
  }
}

/** Makes a cgroup such as `ebb0/worker` in every hierarchy. */
export async function makeCgroup(path: string): Promise<void> {
  await Promise.all(hierarchies.map((hierarchy) => makeOne(hierarchy, path)));
}

/** File that a process writes its id to in order to belong to the cgroup. */
export function membershipFile(path: string): string {
  return membershipIn(tracking, path);
}

export function membershipIn(hierarchy: string, path: string): string {
  return join(hierarchy, path, 'cgroup.procs');
}

function foldersBelow(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
  return [...names.flatMap((name) => foldersBelow(join(folder, name))), folder];
}

/** Ids of all processes in the cgroup and below it, children of children included, whoever started them. */
export function processesIn(path: string): number[] {
  return foldersBelow(join(tracking, path)).flatMap((folder) => {
    try {
      return readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
    } catch {
      return []; // removed since
    }
  });
}

/** Kills everything in the cgroup, and what it forks meanwhile. Nothing outside can be hit by it. */
export async function killCgroup(
  path: string,
  isWanted: (pid: number) => boolean = () => true,
): Promise<void> {
  for (let round = 0; round < 200; round++) {
    const pids = processesIn(path).filter((pid) => pid > 0 && isWanted(pid));
    if (pids.length === 0) return;
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {} // gone already
    }
    await sleep(round < 20 ? 5 : 50);
  }
  throw new Error(`processes ${processesIn(path).join(', ')} of cgroup ${path} do not die`);
}

/** Removes a cgroup without processes from every hierarchy. */
export async function removeCgroup(path: string): Promise<void> {
  for (const hierarchy of everywhere) {
    for (const folder of foldersBelow(join(hierarchy, path))) {
      for (let attempt = 0; attempt < 40 && existsSync(folder); attempt++) {
        // The kernel lets go of a dead process's cgroup a moment later.
        await rmdir(folder).catch(() => sleep(25));
      }
    }
  }
}
