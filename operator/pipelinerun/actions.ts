/** The effects that more than one part of the plan asks for. Pure. */
import type { DeepReadonly, Job } from '../kube/types.ts';
import type { Children } from './children.ts';
import { controllerOf } from '../kube/owners.ts';
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

type DeletePod = Extract<Action, { type: 'DeletePod' }>;

/** Ends, with their own grace, those of the pods that nobody has asked to end: their Job was deleted without them. */
export function endPods(pods: Observed['pods']): DeletePod[] {
  return pods
    .filter((pod) => pod.metadata.deletionTimestamp === undefined)
    .map(({ metadata: { name = '', uid = '' }, spec }) => {
      const graceSeconds = spec.terminationGracePeriodSeconds ?? GRACE_SECONDS;
      return { type: 'DeletePod', pod: name, uid, graceSeconds };
    });
}

/** For the Jobs of pods that nobody is ending: gone, and their pods follow, or without the label by which they are watched. */
export function reclaimJobs({ jobs, pods }: Pick<Observed, 'jobs' | 'pods'>): Action[] {
  const known = new Set(jobs.map(({ metadata }) => metadata.uid));
  const owners = pods
    .filter((pod) => pod.metadata.deletionTimestamp === undefined)
    .flatMap((pod) => controllerOf(pod) ?? [])
    .filter(({ uid }) => !known.has(uid));
  return [...new Map(owners.map(({ uid, name }) => [uid, name]))].map(([uid, job]) => ({
    type: 'ReclaimJob',
    job,
    uid,
  }));
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
