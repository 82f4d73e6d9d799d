import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { maximumClusters } from './addresses.ts';
import { isAlive, type ProcessIdentity } from './identity.ts';
import { stateRoot } from './paths.ts';
import type { CloudBehaviour } from './types.ts';

/** What is known about a cluster on disk; everything else follows from its number. */
export interface ClusterState {
  readonly id: number;
  readonly name: string;
  /** Folder of this cluster; gone when the cluster is. */
  readonly directory: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly endsAt: number;
  /** The cluster ends with this process; null: it lives until `down`. */
  readonly owner: ProcessIdentity | null;
  /** The detached process that plays the cloud. Null while the cluster is being started by `owner`. */
  readonly supervisor: ProcessIdentity | null;
  readonly ready: boolean;
  /** Somebody is taking it down. Should they be killed at it, its supervisor finishes. */
  readonly isEnding: boolean;
  readonly systemNode: boolean;
  readonly karpenter: boolean;
  readonly nodeMonitorGraceSeconds: number;
  readonly deadNodeSeconds: number;
  readonly poolCpuLimit: number;
  /** Folder with a filled containerd store that every node starts from, when there are nodes. */
  readonly imageTemplate: string | null;
  readonly s3: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Absolute paths of the programs by name. */
  readonly programs: Readonly<Record<string, string>>;
}

/** Absolute path of one of the cluster's programs. */
export function programOf(state: ClusterState, name: string): string {
  const path = state.programs[name];
  if (path === undefined) throw new Error(`this cluster was started without ${name}`);
  return path;
}

const clustersRoot = (): string => join(stateRoot(), 'clusters');

async function writeAtomically(file: string, text: string): Promise<void> {
  const partial = `${file}.${randomBytes(4).toString('hex')}`;
  await writeFile(partial, text, { mode: 0o600 });
  await rename(partial, file);
}

/** The state in a cluster's folder; undefined when it has none (any more). */
export function readState(directory: string): ClusterState | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, 'state.json'), 'utf8'));
  } catch {
    return undefined;
  }
}

/** Changes some fields on disk and returns the new state. Only who starts the cluster does, and who takes it down. */
export async function updateState(directory: string, change: Partial<ClusterState>): Promise<ClusterState> {
  const state = readState(directory);
  if (state === undefined) throw new Error(`cluster ${directory} is gone`);
  const changed = { ...state, ...change };
  await writeAtomically(join(directory, 'state.json'), JSON.stringify(changed, null, 2));
  return changed;
}

/** All clusters of this machine, dead ones included. */
export function listStates(): ClusterState[] {
  if (!existsSync(clustersRoot())) return [];
  return readdirSync(clustersRoot())
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readState(join(clustersRoot(), name)) ?? []);
}

/** Claims the lowest free number by putting a filled folder into place; of two that try, only one can. */
export async function claimCluster(
  describe: (id: number, directory: string) => ClusterState,
): Promise<ClusterState> {
  await mkdir(clustersRoot(), { recursive: true, mode: 0o700 });
  for (let id = 0; id < maximumClusters; id++) {
    const directory = join(clustersRoot(), String(id));
    if (existsSync(directory)) continue;
    const state = describe(id, directory);
    const filled = join(clustersRoot(), `.new-${randomBytes(6).toString('hex')}`);
    await mkdir(filled, { mode: 0o700 });
    await writeFile(join(filled, 'state.json'), JSON.stringify(state, null, 2), { mode: 0o600 });
    try {
      await rename(filled, directory); // fails when the other one is not empty
      return state;
    } catch {
      await rm(filled, { recursive: true, force: true });
    }
  }
  throw new Error(`there are ${maximumClusters} clusters on this machine already`);
}

/** Why a cluster should be taken down by whoever sees it; undefined while it is wanted. */
export function reasonToEnd(state: ClusterState, now: number): string | undefined {
  if (state.isEnding) return 'somebody began to take it down';
  if (now > state.endsAt) return 'its time is over';
  if (state.owner !== null && !isAlive(state.owner))
    return `its owner, process ${state.owner.pid}, has ended`;
  if (state.owner === null && (state.supervisor === null || !isAlive(state.supervisor))) {
    return 'its supervisor has ended';
  }
  return undefined;
}

const cloudFile = (directory: string): string => join(directory, 'cloud.json');

/** How the cloud treats new Nodes; the supervisor reads it for each of them. */
export function readCloud(directory: string): CloudBehaviour {
  try {
    return JSON.parse(readFileSync(cloudFile(directory), 'utf8'));
  } catch {
    return {};
  }
}

export async function writeCloud(directory: string, behaviour: CloudBehaviour): Promise<void> {
  await writeAtomically(cloudFile(directory), JSON.stringify(behaviour));
}
