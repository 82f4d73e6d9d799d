import { readFileSync } from 'node:fs';
import { killCgroup } from './cgroups.ts';
import { killEverything, startContainerd, startKubelet } from './node.ts';
import { listRecords, type NodeRecord, nodeCgroup } from './noderecord.ts';
import { type ClusterState, writeCloud } from './state.ts';
import type { NodeFaults } from './types.ts';

function isShim(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('containerd-shim');
  } catch {
    return false;
  }
}

/** Ways to break the nodes of a cluster, and to mend two of them. */
export function nodeFaults(state: ClusterState): NodeFaults {
  const find = (name: string): NodeRecord => {
    const record = listRecords(state).find((candidate) => candidate.name === name);
    if (record === undefined) throw new Error(`there is no node ${name} on this machine`);
    return record;
  };
  const kill = (name: string, program: string, isWanted?: (pid: number) => boolean) =>
    killCgroup(`${nodeCgroup(state, find(name).host)}/${program}`, isWanted);
  return {
    killKubelet: (name) => kill(name, 'kubelet'),
    startKubelet: async (name) => startKubelet(state, find(name)),
    killContainerd: async (name, { withShims }) => {
      await kill(name, 'containerd', withShims ? undefined : (pid) => !isShim(pid));
      // A shim's death leaves its container running without anyone; a machine that loses its runtime loses those too.
      if (withShims) await kill(name, 'kubepods');
    },
    startContainerd: (name) => startContainerd(state, find(name)),
    killNode: (name) => killEverything(state, find(name).host),
    setCloud: (behaviour) => writeCloud(state.directory, behaviour),
  };
}
