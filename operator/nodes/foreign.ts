/** Whether a node was there for pods of others before it had any of ours. Pure. */
import type { OwnerReference } from '../kube/types.ts';
import { boundAt, type PodView } from './views.ts';

export interface ForeignPodView extends PodView {
  readonly metadata: {
    readonly ownerReferences?: readonly Pick<OwnerReference, 'kind' | 'controller'>[] | undefined;
  };
}

/** Pods of these owners are on every node and say nothing about why it exists (Node: static pods). */
const EVERYWHERE: ReadonlySet<string> = new Set(['DaemonSet', 'Node']);

/** Whether, of all pods on a node, one that is not ours was bound before `time` (milliseconds since 1970). */
export function foreignPodBefore<T extends ForeignPodView>(
  pods: readonly T[],
  time: number,
  isOurs: (pod: T) => boolean,
): boolean {
  return pods.some((pod) => {
    if (isOurs(pod)) return false;
    if (pod.metadata.ownerReferences?.some(({ kind }) => EVERYWHERE.has(kind)) === true) return false;
    const bound = boundAt(pod);
    return bound !== undefined && bound < time;
  });
}
