import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addressesOf, hostAddresses, hosts } from './addresses.ts';
import type { ApiClient } from './api.ts';
import { makeCgroup } from './cgroups.ts';
import { connect } from './controlplane.ts';
import { run } from './exec.ts';
import { kubeconfigFile } from './kubeconfig.ts';
import { plugIn } from './network.ts';
import { machineSize, type NodeSize } from './nodeconfig.ts';
import { startProcess } from './processes.ts';
import { type ClusterState, programOf } from './state.ts';

/** Very short, because it is part of node names, and those of labels and common names that end at 63 and 64. */
export const poolName = 'w';

const mebibyte = 2 ** 20;

/** Karpenter's kwok provider takes this much off every instance type for the machine's own programs. */
const overhead: NodeSize = { cpu: 100, memory: 10 * mebibyte };

const zones = ['test-zone-a', 'test-zone-b'];

interface InstanceType {
  readonly name: string;
  readonly capacity: NodeSize;
  /** Per hour, on demand; spot is 0.7 of it. */
  readonly price: number;
}

/** What the cloud sells: never more than the machine has, for a node cannot offer more than its kubelet sees. */
export function instanceTypes(machine: NodeSize): InstanceType[] {
  const gibibyte = 1024 * mebibyte;
  return [1, 2, 4]
    .filter((cpus) => cpus === 1 || cpus * 1000 <= machine.cpu)
    .map((cpus) => ({
      name: `ebb-${cpus}x`,
      capacity: { cpu: cpus * 1000, memory: Math.min(cpus * 4 * gibibyte, machine.memory) },
      price: cpus * 0.04,
    }));
}

/** What is left for pods on a node of that type. */
export function allocatable(type: string): NodeSize {
  const machine = machineSize();
  const found = instanceTypes(machine).find(({ name }) => name === type);
  const capacity = found?.capacity ?? machine;
  return { cpu: capacity.cpu - overhead.cpu, memory: capacity.memory - overhead.memory };
}

function catalogue(): unknown {
  return instanceTypes(machineSize()).map(({ name, capacity, price }) => ({
    name,
    architecture: 'amd64',
    operatingSystems: ['linux'],
    resources: {
      cpu: `${capacity.cpu}m`,
      memory: `${capacity.memory}`,
      'ephemeral-storage': '20Gi',
      pods: '110',
    },
    offerings: zones.flatMap((zone) =>
      ['spot', 'on-demand'].map((kind) => ({
        Price: kind === 'spot' ? price * 0.7 : price,
        Available: true,
        Requirements: [
          { key: 'karpenter.sh/capacity-type', operator: 'In', values: [kind] },
          { key: 'topology.kubernetes.io/zone', operator: 'In', values: [zone] },
        ],
      })),
    ),
  }));
}

function nodeClass(): unknown {
  return {
    apiVersion: 'karpenter.kwok.sh/v1alpha1',
    kind: 'KWOKNodeClass',
    metadata: { name: poolName },
    spec: { nodeRegistrationDelay: '0s' },
  };
}

/** An empty pool that grows for pods which select and tolerate it, and gives a node back as soon as it is empty. */
function nodePool(cpuLimit: number): unknown {
  const only = (key: string, values: readonly string[]) => ({ key, operator: 'In', values });
  return {
    apiVersion: 'karpenter.sh/v1',
    kind: 'NodePool',
    metadata: { name: poolName },
    spec: {
      limits: { cpu: String(cpuLimit) },
      disruption: { consolidationPolicy: 'WhenEmpty', consolidateAfter: '1s' },
      template: {
        metadata: { labels: { 'ebbflow.dev/pool': 'burst' } },
        spec: {
          nodeClassRef: { group: 'karpenter.kwok.sh', kind: 'KWOKNodeClass', name: poolName },
          expireAfter: 'Never',
          taints: [{ key: 'ebbflow.dev/pool', effect: 'NoSchedule' }],
          requirements: [
            only('kubernetes.io/os', ['linux']),
            only('karpenter.sh/capacity-type', ['spot', 'on-demand']),
          ],
        },
      },
    },
  };
}

async function create(client: ApiClient, path: string, body: unknown): Promise<void> {
  // The definition of a new kind is served a moment after it was accepted.
  await client.waitFor(path, 20_000);
  const answer = await client.send('POST', path, body);
  if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
}

/** Starts Karpenter, whose provider makes a Node object for every claim, with an empty pool. */
export async function startKarpenter(state: ClusterState): Promise<void> {
  const { bridge } = addressesOf(state.id);
  const kubeconfig = kubeconfigFile(state.directory, 'admin');
  const cgroup = `${bridge}/karpenter`;
  const types = join(state.directory, 'instance-types.json');
  writeFileSync(types, JSON.stringify(catalogue()));
  const folders = ['karpenter-crds', 'karpenter-kwok-crds'].map((name) => programOf(state, name));
  const host = hostAddresses(state.id, hosts.karpenter);
  await Promise.all([
    run(programOf(state, 'kubectl'), [
      `--kubeconfig=${kubeconfig}`,
      'create',
      ...folders.map((folder) => `--filename=${folder}`),
    ]),
    makeCgroup(cgroup),
    plugIn(state.id, host),
  ]);
  const client = connect(state);
  try {
    await create(client, '/apis/karpenter.kwok.sh/v1alpha1/kwoknodeclasses', nodeClass());
    await create(client, '/apis/karpenter.sh/v1/nodepools', nodePool(state.poolCpuLimit));
  } finally {
    client.close();
  }
  // A namespace of its own for its listeners, which cannot be told to use one address only.
  startProcess(state.directory, {
    name: 'karpenter',
    command: 'nsenter',
    args: [`--net=/run/netns/${host.netns}`, programOf(state, 'karpenter-kwok')],
    env: {
      KUBECONFIG: kubeconfig,
      DISABLE_LEADER_ELECTION: 'true',
      SYSTEM_NAMESPACE: 'kube-system',
      METRICS_PORT: '8090',
      HEALTH_PROBE_PORT: '8091',
      INSTANCE_TYPES_FILE_PATH: types,
      // A node that was just given a pod cannot be given back for twice this long, 20 s by default.
      BATCH_MAX_DURATION: '5s',
    },
    cgroup,
  });
}
