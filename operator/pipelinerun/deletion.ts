/** What is different once the PipelineRun itself is being deleted: nothing may take long any more. Pure. */
import { isFinished } from './podfacts.ts';
import type { Action, Observed } from './types.ts';

/** Longest grace of pods whose PipelineRun is being deleted, in seconds. */
export const DELETION_GRACE_SECONDS = 10;
/** How long the record of a run that is being deleted is tried, in milliseconds. */
export const DELETION_COMMIT_MS = 15_000;
/**
 * How long the end of its logs is waited for: the rest of that time is for the store. A log that is being read may be
 * without a new chunk for 3 s.
 */
export const DELETION_LOG_BOUNDS = { idleMs: 5_000, maxMs: 8_000 };

/**
 * A run that is being deleted does not wait for a long grace. For a pod that its kubelet is already ending with a longer
 * one this comes too late (kubernetes/kubernetes#113606).
 */
export function deletePods({ run, pods }: Observed): Action[] {
  if (run.metadata.deletionTimestamp === undefined) return [];
  return pods
    .filter(
      (pod) =>
        !isFinished(pod) && (pod.metadata.deletionGracePeriodSeconds ?? Infinity) > DELETION_GRACE_SECONDS,
    )
    .map((pod) => ({
      type: 'DeletePod' as const,
      pod: pod.metadata.name ?? '',
      uid: pod.metadata.uid ?? '',
      graceSeconds: Math.min(pod.spec.terminationGracePeriodSeconds ?? 30, DELETION_GRACE_SECONDS),
    }));
}
