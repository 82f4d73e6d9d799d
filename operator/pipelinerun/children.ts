/** Which Jobs and pods belong to a stage. Pure; by owners and names, which nobody can change. */
import type { Stage } from '../api/pipelinerun.ts';
import type { DeepReadonly, Job, Pod } from '../kube/types.ts';
import { controllerOf } from '../kube/owners.ts';
import { attemptOf, placeOf } from './ours.ts';
import type { Observed } from './types.ts';

export interface Children {
  /** Jobs of the stage, oldest attempt first. */
  jobs: readonly DeepReadonly<Job>[];
  /** The Job of the newest attempt. */
  job: DeepReadonly<Job> | undefined;
  /** Pods of that Job, oldest first. */
  pods: readonly DeepReadonly<Pod>[];
}

type Family = Pick<Observed, 'run' | 'jobs' | 'pods'>;

export function childrenOf(stage: Stage, { run, jobs, pods }: Family): Children {
  const own = jobs
    .filter((job) => job.metadata.deletionTimestamp === undefined && placeOf(job, run, [stage]))
    .toSorted((a, b) => attemptOf(a) - attemptOf(b));
  const job = own.at(-1);
  return { jobs: own, job, pods: job ? podsOf(job, pods) : [] };
}

export function podsOf(job: DeepReadonly<Job>, pods: readonly DeepReadonly<Pod>[]): DeepReadonly<Pod>[] {
  return pods
    .filter(
      (pod) =>
        controllerOf(pod)?.uid === job.metadata.uid && pod.metadata.namespace === job.metadata.namespace,
    )
    .toSorted((a, b) =>
      (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? ''),
    );
}

/** Pods of an attempt whose Job is not there any more. */
export function podsOfAttempt(
  stage: Stage,
  attempt: number | undefined,
  { run, pods }: Omit<Family, 'jobs'>,
): DeepReadonly<Pod>[] {
  return pods.filter((pod) => placeOf(pod, run, [stage])?.attempt === attempt);
}
