import { setTimeout as sleep } from 'node:timers/promises';
import { hosts } from './addresses.ts';
import type { ApiClient } from './api.ts';
import { connect } from './controlplane.ts';
import { allocatable } from './karpenter.ts';
import { bootNode, killEverything, tearDownNode } from './node.ts';
import { listNodes, listRecords, type NodeRecord } from './noderecord.ts';
import { type CloudNode, followNodes, tell } from './nodewatch.ts';
import { type ClusterState, readCloud } from './state.ts';

export type CloudAction =
  | { readonly kind: 'boot'; readonly node: CloudNode }
  | { readonly kind: 'tearDown'; readonly name: string }
  | { readonly kind: 'takeAway'; readonly name: string };

/** A machine of the cloud, seen from outside. */
export interface Machine {
  readonly name: string;
  /** Milliseconds for which its kubelet has been dead; undefined while it lives or boots. */
  readonly deadForMs: number | undefined;
}

/** Decides what the cloud does next: pure, so that every case is a line of a table in a test. */
export function decide(
  nodes: ReadonlyMap<string, CloudNode>,
  machines: readonly Machine[],
  known: ReadonlySet<string>,
  deadNodeMs: number,
): CloudAction[] {
  const boots = [...nodes.values()]
    .filter((node) => !known.has(node.name) && !node.isDeleted)
    .map((node) => ({ kind: 'boot', node }) as const);
  const ends = machines.flatMap(({ name, deadForMs }): CloudAction[] => {
    if (!nodes.has(name)) return [{ kind: 'tearDown', name }];
    return deadForMs !== undefined && deadForMs >= deadNodeMs ? [{ kind: 'takeAway', name }] : [];
  });
  return [...boots, ...ends];
}

/** The machine is gone for good: its Node must not stay, whoever holds a finalizer on it. */
async function takeAway(client: ApiClient, state: ClusterState, record: NodeRecord): Promise<void> {
  await killEverything(state, record.host);
  const path = `/api/v1/nodes/${record.name}`;
  await client.send('DELETE', path);
  await sleep(3000);
  const withoutFinalizers = { metadata: { finalizers: null } };
  await client.send('PATCH', path, withoutFinalizers, 'application/merge-patch+json');
}

/** Boots and tears down machines as Node objects of Karpenter come and go, until the signal. */
export async function playCloud(state: ClusterState, signal: AbortSignal): Promise<void> {
  const client = connect(state);
  const nodes = new Map<string, CloudNode>();
  const known = new Set<string>();
  const busy = new Set<string>();
  const deadSince = new Map<string, number>();
  let nextHost: number = hosts.firstWorker;

  const freeHost = (): number => {
    const taken = new Set(listRecords(state).map(({ host }) => host));
    // Never the one just freed: neighbours remember who had an address.
    do nextHost = nextHost >= hosts.lastWorker ? hosts.firstWorker : nextHost + 1;
    while (taken.has(nextHost));
    return nextHost;
  };

  const boot = async (node: CloudNode): Promise<void> => {
    const behaviour = readCloud(state.directory);
    if (behaviour.neverRegister === true) return tell(`${node.name} will never register, as told`);
    if (behaviour.bootDelayMs !== undefined) await sleep(behaviour.bootDelayMs);
    if (!nodes.has(node.name) || signal.aborted) return;
    const size = allocatable(node.instanceType);
    const record: NodeRecord = { name: node.name, role: 'worker', host: freeHost(), size, labels: {} };
    const start = performance.now();
    await bootNode(state, record);
    tell(`${node.name} booted as host ${record.host} in ${Math.round(performance.now() - start)} ms`);
  };

  const carryOut = async (action: CloudAction): Promise<void> => {
    if (action.kind === 'boot') {
      known.add(action.node.name);
      return boot(action.node);
    }
    const record = listRecords(state).find(({ name }) => name === action.name);
    if (record === undefined) return;
    if (action.kind === 'takeAway') return takeAway(client, state, record);
    await tearDownNode(state, record.host);
    known.delete(action.name);
    deadSince.delete(action.name);
    tell(`${action.name} is gone`);
  };

  const look = (): void => {
    const machines = listNodes(state)
      .filter(({ role, name }) => role === 'worker' && !busy.has(name))
      .map(({ name, state: condition }) => {
        if (condition !== 'dead') deadSince.delete(name);
        else if (!deadSince.has(name)) deadSince.set(name, Date.now());
        const since = deadSince.get(name);
        return { name, deadForMs: since === undefined ? undefined : Date.now() - since };
      });
    for (const action of decide(nodes, machines, known, state.deadNodeSeconds * 1000)) {
      const name = action.kind === 'boot' ? action.node.name : action.name;
      if (busy.has(name)) continue;
      busy.add(name);
      carryOut(action)
        .catch((error: unknown) => tell(`${action.kind} ${name}: ${String(error)}`))
        .finally(() => busy.delete(name));
    }
  };

  const timer = setInterval(look, 500);
  try {
    await followNodes(client, nodes, look, signal);
  } finally {
    clearInterval(timer);
    client.close();
  }
}
