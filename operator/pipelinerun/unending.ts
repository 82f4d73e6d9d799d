/**
 * Pods that should have ended and do not: a container that no signal reaches on a node that is ready, a kubelet or a
 * Job controller that does not do its part. A run does not wait for them for ever. Pure.
 */
import type { DeepReadonly, Pod } from '../kube/types.ts';
import { isFinished, millis } from './podfacts.ts';

/**
 * Milliseconds beyond its grace for which a pod is waited for. The kubelet kills at the end of the grace and tells it a
 * few seconds later, more on a node with much to do. What is still there after a minute waits for something that no
 * kill reaches, such as a disk that does not answer, and that may take for ever.
 */
export const UNENDING_MS = 60_000;

/**
 * When the pod is not waited for any more, in milliseconds since the epoch: the deletion timestamp has its grace in it.
 * Undefined for one that nobody has asked to end.
 */
export function waitedForUntil({ metadata }: DeepReadonly<Pod>): number | undefined {
  const due = millis(metadata.deletionTimestamp);
  return due === undefined ? undefined : due + UNENDING_MS;
}

/** Whether the pod may still write, and is worth waiting for. */
export function isWaitedFor(pod: DeepReadonly<Pod>, now: Date): boolean {
  return !isFinished(pod) && now.getTime() < (waitedForUntil(pod) ?? Infinity);
}
