/**
 * What is ours of what bears our labels: anybody can put them on anything, or take them away. Owners and names say it:
 * the names of our Jobs have a digest of the run in them, those of pods begin with their Job's, and no name ever changes.
 * Pure.
 */
import { jobName, LABEL } from '../api/names.ts';
import type { PipelineRun } from '../api/types.ts';
import type { DeepReadonly, Job, KubeObject, OwnerReference, Pod } from '../kube/types.ts';
import { attemptOf } from './children.ts';

type Run = Pick<PipelineRun, 'metadata' | 'status'>;

export function controllerOf({
  metadata,
}: DeepReadonly<KubeObject>): DeepReadonly<OwnerReference> | undefined {
  return metadata.ownerReferences?.find(({ controller }) => controller === true);
}

export function isOurJob(job: DeepReadonly<KubeObject>, run: Run): boolean {
  return controllerOf(job)?.uid === run.metadata.uid;
}

/** Whether a Job of the run has made the pod; the Job may have been deleted since, also without it. */
export function isOurPod(pod: DeepReadonly<Pod>, run: Run): boolean {
  const job = jobName(run.metadata, pod.metadata.labels?.[LABEL.stage] ?? '', attemptOf(pod));
  const controller = controllerOf(pod);
  if (controller) return controller.kind === 'Job' && controller.name === job;
  return isNameOfPodOf(job, pod.metadata.name ?? '');
}

/** Longest name that the API server makes up, without its five random characters. */
const MAX_PREFIX = 58;

/** As the Job controller names the pods of an Indexed Job: where that is too long, the Job's name is cut. */
function isNameOfPodOf(job: string, pod: string): boolean {
  const suffix = /-\d+-(?=[a-z0-9]{5}$)/.exec(pod)?.[0];
  if (suffix === undefined) return false;
  return pod.slice(0, -5) === job.slice(0, MAX_PREFIX - suffix.length) + suffix;
}

/** Names of the Jobs of all attempts that the status knows. */
export function jobNamesOf({ metadata, status }: Run): string[] {
  return (status?.stages ?? []).flatMap(({ name, attempt = 0 }) =>
    Array.from({ length: attempt }, (_, before) => jobName(metadata, name, before + 1)),
  );
}

/** Labels of ours that a Job has lost: it makes its pods with the same ones, and those nobody can change. */
export function lostLabels({ metadata, spec }: DeepReadonly<Job>): Record<string, string> {
  const made = spec.template.metadata?.labels ?? {};
  const lost = Object.values(LABEL).filter((name) => metadata.labels?.[name] !== made[name]);
  return Object.fromEntries(lost.map((name) => [name, made[name] ?? '']));
}
