import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cpuHierarchy, isUnified, membershipIn, processesIn, removeCgroup } from './cgroups.ts';

const PREFIX = 'ebb-background-';
/**
 * What each of the others has is 1024 (`cpu.shares`) or 100 (`cpu.weight`), and whole runs are several of them: this is about
 * a tenth while they want the processor, enough that nothing here is taken for dead.
 */
const small = { shares: 256, weight: 25 };
const usual = { shares: 1024, weight: 100 };

/** A cgroup whose processes have the processor time that others leave. `nice` would not do: it does not reach beyond a session. */
export interface Background {
  /** File that a process writes its id to in order to belong to it, with all it starts from then on. */
  readonly membership: string;
  /** Puts a running cluster, by the name of its cgroup, in the background as well. */
  take(cluster: string): Promise<void>;
  /** There is nobody to make way for any more. */
  release(): Promise<void>;
  /** What is in it must have ended. */
  remove(): Promise<void>;
}

/** Rejects where no such cgroup can be made: not root, no cgroups, or a controller that is not handed down. */
export async function makeBackground(): Promise<Background> {
  const hierarchy = cpuHierarchy;
  if (hierarchy === undefined) throw new Error('this machine has no cgroups for the processor');
  const name = `${PREFIX}${process.pid}`;
  await removeLeftovers(hierarchy);
  if (isUnified) await writeFile(join(hierarchy, 'cgroup.subtree_control'), '+cpu');
  try {
    await mkdir(join(hierarchy, name), { recursive: true });
    await weigh(join(hierarchy, name), small);
  } catch (error) {
    await removeCgroup(name);
    throw error;
  }
  const membership = membershipIn(hierarchy, name);
  const weighed = [join(hierarchy, name)];
  let weight = small;
  return {
    membership,
    take: async (cluster) => {
      if (!isUnified) return await adopt(membership, cluster);
      const folder = join(hierarchy, cluster);
      await weigh(folder, weight);
      weighed.push(folder);
    },
    release: async () => {
      weight = usual;
      // A cluster may have gone down since.
      for (const folder of weighed) await weigh(folder, usual).catch(() => undefined);
    },
    remove: () => removeCgroup(name),
  };
}

async function weigh(folder: string, { shares, weight }: typeof usual): Promise<void> {
  const [file, value] = isUnified ? ['cpu.weight', weight] : ['cpu.shares', shares];
  await writeFile(join(folder, file), String(value), { flag: 'r+' });
}

/** With v1 a process has a place per controller: the cluster is still found by its own cgroup. */
async function adopt(membership: string, cluster: string): Promise<void> {
  for (const pid of processesIn(cluster)) await writeFile(membership, String(pid)).catch(() => undefined); // ended since
}

/** Of runs that were killed. */
async function removeLeftovers(hierarchy: string): Promise<void> {
  for (const name of readdirSync(hierarchy)) {
    const isLeft = name.startsWith(PREFIX) && !existsSync(`/proc/${name.slice(PREFIX.length)}`);
    if (isLeft) await rmdir(join(hierarchy, name)).catch(() => undefined);
  }
}
