/**
 * The detached process beside every cluster: `node supervisor.ts DIRECTORY CREATED_AT`. It plays the cloud while the
 * cluster is wanted, and takes it down when its owner has died or its time is over.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { addressesOf } from './addresses.ts';
import { playCloud } from './cloud.ts';
import { connect } from './controlplane.ts';
import { destroyCluster } from './destroy.ts';
import { serveNames } from './dns.ts';
import { runningProcess } from './processes.ts';
import { type ClusterState, readState, reasonToEnd } from './state.ts';

const [directory = '', createdAt = ''] = process.argv.slice(2);

function current(): ClusterState | undefined {
  const state = readState(directory);
  return state !== undefined && String(state.createdAt) === createdAt ? state : undefined;
}

/** A state that names no supervisor yet is being written by the starter at this moment. */
function whyEnd(state: ClusterState): string | undefined {
  return state.supervisor === null && state.owner === null ? undefined : reasonToEnd(state, Date.now());
}

// One broken node must not cost the cluster its cloud.
process.on('unhandledRejection', (error) => console.log(`unexpected: ${String(error)}`));

// From who took the cluster down in its stead. Only between two turns: a lock file must not be left half taken.
process.on('SIGTERM', () => process.exit(0));

const stop = new AbortController();
let isServing = false;
let cloud: Promise<void> | undefined;
for (;;) {
  const state = current();
  if (state === undefined) break; // taken down by a command
  const reason = whyEnd(state);
  if (reason !== undefined) {
    console.log(`${new Date().toISOString()} taking the cluster down: ${reason}`);
    stop.abort();
    try {
      await destroyCluster(state, (now) => whyEnd(now) !== undefined);
      break;
    } catch (error) {
      console.log(`taking the cluster down: ${String(error)}; again in 5 s`);
      await sleep(5000);
      continue;
    }
  }
  if (
    !isServing &&
    (state.systemNode || state.karpenter) &&
    runningProcess(directory, 'kube-scheduler') !== undefined
  ) {
    isServing = true;
    serveNames(connect(state), addressesOf(state.id).bridgeAddress, stop.signal);
  }
  if (state.ready && state.karpenter) cloud ??= playCloud(state, stop.signal);
  await sleep(500);
}
process.exit(0);
