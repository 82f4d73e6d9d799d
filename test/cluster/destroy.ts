import { existsSync, readdirSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { addressesOf } from './addresses.ts';
import { killCgroup, removeCgroup } from './cgroups.ts';
import { type ProcessIdentity, signal } from './identity.ts';
import { withLock } from './lock.ts';
import { unmountBelow } from './mounts.ts';
import { removeNetwork } from './network.ts';
import { stateRoot } from './paths.ts';
import { type ClusterState, listStates, readState, reasonToEnd, updateState } from './state.ts';
import { startSupervisor } from './supervise.ts';

/** Removes what is left of earlier clusters' folders, where an earlier run was killed while doing so. */
async function emptyTrash(): Promise<void> {
  const root = join(stateRoot(), 'clusters');
  if (!existsSync(root)) return;
  const dayAgo = Date.now() - 86_400_000;
  for (const name of readdirSync(root)) {
    const isTrash =
      name.startsWith('.trash-') || (name.startsWith('.new-') && Number(name.split('-')[2] ?? 0) < dayAgo);
    if (isTrash) await rm(join(root, name), { recursive: true, force: true });
  }
}

/**
 * Ends the cloud, which would otherwise start nodes in between, and has a supervisor that knows of no other task than
 * to finish this, should the calling process be killed at it. At every moment one of the two is there.
 */
async function replaceSupervisor(state: ClusterState): Promise<ProcessIdentity> {
  await updateState(state.directory, { isEnding: true });
  const successor = startSupervisor(state);
  await updateState(state.directory, { supervisor: successor });
  // What it was just starting outside the cgroup, an `ip` or a `cp`, ends by itself within moments.
  if (state.supervisor !== null && signal(state.supervisor, 'SIGKILL')) await sleep(50);
  return successor;
}

async function tearDown(state: ClusterState): Promise<void> {
  const { bridge } = addressesOf(state.id);
  // Not when the supervisor itself is doing this: then it ends on its own.
  const isSupervisor = state.supervisor?.pid === process.pid;
  const successor = isSupervisor ? undefined : await replaceSupervisor(state);
  await killCgroup(bridge);
  await removeNetwork(state.id);
  await removeCgroup(bridge);
  await unmountBelow(state.directory);
  const trash = join(stateRoot(), 'clusters', `.trash-${state.id}-${Date.now()}`);
  await rename(state.directory, trash); // from here on the number is free
  await rm(trash, { recursive: true, force: true });
  if (successor !== undefined) signal(successor, 'SIGTERM');
}

/**
 * Takes a cluster down if it is still the one that was looked at and `isUnwanted` still holds under the lock.
 * Harmless when it is gone already, or when another process is at it: then this waits for that one.
 */
export async function destroyCluster(
  seen: ClusterState,
  isUnwanted: (now: ClusterState) => boolean = () => true,
): Promise<void> {
  await withLock(join(stateRoot(), `destroy-${seen.id}.lock`), async () => {
    const now = readState(seen.directory);
    if (now === undefined || now.createdAt !== seen.createdAt || !isUnwanted(now)) return;
    await tearDown(now);
  });
}

/** Takes down every cluster that nobody wants any more: killed runs, reboots, forgotten ones. */
export async function reapStale(progress: (line: string) => void): Promise<void> {
  await emptyTrash();
  for (const state of listStates()) {
    const reason = reasonToEnd(state, Date.now());
    if (reason === undefined) continue;
    progress(`Clearing away cluster "${state.name}" of an earlier run: ${reason}`);
    await destroyCluster(state, (now) => reasonToEnd(now, Date.now()) !== undefined);
  }
}
