/** Nodes that come from zero. */
import type { PipelineRunSpec } from '../../../operator/api/pipelinerun.ts';

const tolerations = [{ key: 'ebbflow.dev/pool', operator: 'Exists', effect: 'NoSchedule' }] as const;

/** Any node of the pool that scales from zero. */
export const burst = {
  nodeSelector: { 'ebbflow.dev/pool': 'burst' },
  tolerations: [...tolerations],
} satisfies PipelineRunSpec['placement'];

/** A stage with these has a node to itself: two of them do not fit on the smallest node, and they take no other. */
export const ownNode = {
  placement: {
    ...burst,
    nodeSelector: { ...burst.nodeSelector, 'node.kubernetes.io/instance-type': 'ebb-1x' },
  },
  resources: { requests: { cpu: '600m', memory: '128Mi' } },
} satisfies Partial<PipelineRunSpec['stages'][number]>;

/** A kind of node that no test near this one asks for: what others have left behind does not fit, so that it comes from zero. */
export const fromZero = {
  ...burst,
  nodeSelector: { ...burst.nodeSelector, 'node.kubernetes.io/instance-type': 'ebb-2x' },
} satisfies PipelineRunSpec['placement'];
