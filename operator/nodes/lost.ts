/** When a pod counts as lost with its node. Pure. */
import { boundAt, findCondition, type NodeView, type PodView, timeOf } from './views.ts';

export interface NodeLossInput {
  /** The Node that the pod names; undefined when the cache has none of that name. */
  readonly node: NodeView | undefined;
  readonly pod: PodView;
  /** How long a node may be silent before its pods are given up. */
  readonly nodeLostSeconds: number;
  /** Whether the cache of Nodes is complete: absence from a half-filled one means nothing. */
  readonly nodesSynced: boolean;
}

/**
 * When the pod counts as lost with its node, in milliseconds since 1970; undefined when, as things stand, it does
 * not. A time in the future is when to look again.
 *
 * A Node that is not ready is lost nodeLostSeconds after it said so, and one that is gone at once, but neither before
 * nodeLostSeconds after the pod was bound: no scheduler binds a pod to a Node that is gone or not ready, so what we know
 * of the Node was older than the pod.
 */
export function nodeLossTime({ node, pod, nodeLostSeconds, nodesSynced }: NodeLossInput): number | undefined {
  const phase = pod.status?.phase;
  if (pod.spec?.nodeName === undefined || pod.spec.nodeName === '') return undefined;
  if (phase === 'Succeeded' || phase === 'Failed') return undefined;

  const bound = boundAt(pod);
  const since = node === undefined ? (nodesSynced ? bound : undefined) : notReadySince(node);
  return since === undefined ? undefined : Math.max(since, bound ?? since) + nodeLostSeconds * 1000;
}

/** A Node without the condition has not reported yet; the node controller will say Unknown when it never does. */
function notReadySince(node: NodeView): number | undefined {
  const ready = findCondition(node.status?.conditions, 'Ready');
  return ready === undefined || ready.status === 'True' ? undefined : timeOf(ready.lastTransitionTime);
}
