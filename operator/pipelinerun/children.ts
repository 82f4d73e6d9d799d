/** Which Jobs and pods belong to a stage. Pure; by owner UID and label, never by name. */
import { LABEL } from '../api/names.ts';
import type { DeepReadonly, Job, Pod } from '../kube/types.ts';

export interface Children {
  /** Jobs of the stage, oldest attempt first. */
  jobs: readonly DeepReadonly<Job>[];
  /** The Job of the newest attempt. */
  job: DeepReadonly<Job> | undefined;
  /** Pods of that Job, oldest first. */
  pods: readonly DeepReadonly<Pod>[];
}

export function childrenOf(
  stage: string,
  jobs: readonly DeepReadonly<Job>[],
  pods: readonly DeepReadonly<Pod>[],
): Children {
  const own = jobs
    .filter(
      (job) => job.metadata.labels?.[LABEL.stage] === stage && job.metadata.deletionTimestamp === undefined,
    )
    .toSorted((a, b) => attemptOf(a) - attemptOf(b));
  const job = own.at(-1);
  return { jobs: own, job, pods: job ? podsOf(job, pods) : [] };
}

export function podsOf(job: DeepReadonly<Job>, pods: readonly DeepReadonly<Pod>[]): DeepReadonly<Pod>[] {
  return pods
    .filter((pod) =>
      pod.metadata.ownerReferences?.some(
        (owner) => owner.controller === true && owner.uid === job.metadata.uid,
      ),
    )
    .toSorted((a, b) =>
      (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? ''),
    );
}

/** Pods of an attempt whose Job is not there any more. */
export function podsOfAttempt(
  pods: readonly DeepReadonly<Pod>[],
  stage: string,
  attempt: number | undefined,
): DeepReadonly<Pod>[] {
  return pods.filter((pod) => pod.metadata.labels?.[LABEL.stage] === stage && attemptOf(pod) === attempt);
}

export function attemptOf(object: {
  readonly metadata: { readonly labels?: Readonly<Record<string, string>> };
}): number {
  return Number(object.metadata.labels?.[LABEL.attempt] ?? 0);
}
