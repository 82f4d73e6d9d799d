/** What the ledger keeps of a Node object. Pure. */
import { type LedgerNode } from './record.ts';
import { timeOf } from './views.ts';

export interface NodeObjectView {
  readonly metadata: {
    readonly uid?: string | undefined;
    readonly name?: string | undefined;
    readonly creationTimestamp?: string | undefined;
    readonly labels?: Readonly<Record<string, string>> | undefined;
  };
}

const INSTANCE_TYPE = 'node.kubernetes.io/instance-type';
const ZONE = 'topology.kubernetes.io/zone';

/** Where autoscalers and clouds write how a machine is paid for, and which group it belongs to. */
const CAPACITY_TYPES = [
  'karpenter.sh/capacity-type',
  'eks.amazonaws.com/capacityType',
  'cloud.google.com/gke-provisioning',
  'kubernetes.azure.com/scalesetpriority',
];
const NODE_GROUPS = [
  'karpenter.sh/nodepool',
  'eks.amazonaws.com/nodegroup',
  'cloud.google.com/gke-nodepool',
  'kubernetes.azure.com/agentpool',
];

/** What the ledger keeps of a Node; undefined for an object that the server has not completed. */
export function readMachine(node: NodeObjectView): LedgerNode | undefined {
  const { uid, name, creationTimestamp, labels = {} } = node.metadata;
  const createdAt = timeOf(creationTimestamp);
  if (uid === undefined || name === undefined || createdAt === undefined) return undefined;
  const first = (keys: readonly string[]): string | undefined =>
    keys.map((key) => labels[key]).find((value) => value !== undefined && value !== '');
  const instanceType = first([INSTANCE_TYPE]);
  const capacityType = first(CAPACITY_TYPES)?.toLowerCase();
  const zone = first([ZONE]);
  const nodeGroup = first(NODE_GROUPS);
  return {
    uid,
    name,
    createdAt,
    ...(instanceType !== undefined && { instanceType }),
    ...(capacityType !== undefined && { capacityType }),
    ...(zone !== undefined && { zone }),
    ...(nodeGroup !== undefined && { nodeGroup }),
  };
}
