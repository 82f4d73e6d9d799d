/** The effects that more than one part of the plan asks for. Pure. */
import type { DeepReadonly, Job } from '../kube/types.ts';
import type { Children } from './children.ts';
import { isConditionTrue } from './trueconditions.ts';
import { isFinished } from './podfacts.ts';
import type { Action, Observed } from './types.ts';

/** Ends every Job of the stage that has not ended by itself. */
export function stopAll({ jobs }: Children): Action[] {
  const open = jobs.filter(
    (job) =>
      !isConditionTrue(job, 'Complete') && !isConditionTrue(job, 'Failed') && job.spec.suspend !== true,
  );
  return open.map(suspendJob);
}

export function suspendJob(job: DeepReadonly<Job>): Action {
  return { type: 'SuspendJob', job: job.metadata.name ?? '', uid: job.metadata.uid ?? '' };
}

/** Grace of a pod that does not say another one, in seconds, as in the API of Kubernetes. */
export const GRACE_SECONDS = 30;

/** Ends, with their own grace, those of the pods that nobody has asked to end: their Job was deleted without them. */
export function endPods(pods: Observed['pods']): Action[] {
  return pods
    .filter((pod) => pod.metadata.deletionTimestamp === undefined)
    .map(({ metadata: { name = '', uid = '' }, spec }) => {
      const graceSeconds = spec.terminationGracePeriodSeconds ?? GRACE_SECONDS;
      return { type: 'DeletePod', pod: name, uid, graceSeconds };
    });
}

type ReleasePod = Extract<Action, { type: 'ReleasePod' }>;

/** Gives up those of the pods whose node is dead: their kubelet will never end them. */
export function releaseLost(pods: Observed['pods'], lostPods: Observed['lostPods']): ReleasePod[] {
  return pods
    .filter((pod) => lostPods.has(pod.metadata.uid ?? '') && !isFinished(pod))
    .map((pod) => ({
      type: 'ReleasePod',
      pod: pod.metadata.name ?? '',
      uid: pod.metadata.uid ?? '',
      node: pod.spec.nodeName ?? '',
    }));
}
