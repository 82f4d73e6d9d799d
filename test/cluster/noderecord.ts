import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { addressesOf, hostAddresses } from './addresses.ts';
import type { NodeSize } from './nodeconfig.ts';
import { runningProcess } from './processes.ts';
import type { ClusterState } from './state.ts';
import type { ClusterNode } from './types.ts';

/** A node as recorded in its folder. */
export interface NodeRecord {
  readonly name: string;
  readonly role: 'system' | 'worker';
  /** Its number on the bridge; names its namespace, cgroup and folder. */
  readonly host: number;
  readonly size: NodeSize;
  readonly labels: Readonly<Record<string, string>>;
  /** Milliseconds since 1970; absent while it boots. */
  readonly bootedAt?: number;
}

export const nodeFolder = (state: ClusterState, host: number): string =>
  join(state.directory, 'nodes', String(host));

/** Cgroup of everything that runs on a node, its daemons and its pods. */
export const nodeCgroup = (state: ClusterState, host: number): string =>
  `${addressesOf(state.id).bridge}/n${host}`;

export const processName = (host: number, program: string): string => `${program}-${host}`;

/** The nodes that have been booted and not been torn down yet. */
export function listRecords(state: ClusterState): NodeRecord[] {
  const root = join(state.directory, 'nodes');
  if (!existsSync(root)) return [];
  return readdirSync(root).flatMap((host) => {
    try {
      const record: NodeRecord = JSON.parse(readFileSync(join(root, host, 'node.json'), 'utf8'));
      return [record];
    } catch {
      return []; // being made or being removed
    }
  });
}

/** The same with what is running, for people and tests. */
export function listNodes(state: ClusterState): ClusterNode[] {
  return listRecords(state).map(({ name, role, host, bootedAt }) => {
    const { address, pods } = hostAddresses(state.id, host);
    const kubelet = runningProcess(state.directory, processName(host, 'kubelet'));
    const containerd = runningProcess(state.directory, processName(host, 'containerd'));
    return {
      name,
      role,
      state: bootedAt === undefined ? 'booting' : kubelet === undefined ? 'dead' : 'running',
      address,
      pods,
      ...(kubelet === undefined ? {} : { kubeletPid: kubelet.pid }),
      ...(containerd === undefined ? {} : { containerdPid: containerd.pid }),
    };
  });
}

/** Writes a node's record into its folder, which exists. */
export async function writeRecord(state: ClusterState, record: NodeRecord): Promise<void> {
  const file = join(nodeFolder(state, record.host), 'node.json');
  await writeFile(`${file}.new`, JSON.stringify(record));
  await rename(`${file}.new`, file);
}
