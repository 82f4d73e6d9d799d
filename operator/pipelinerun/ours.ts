/**
 * What is ours of what bears our labels: anybody can put them on anything, or take them away. Owners and names say it:
 * the names of our Jobs have a digest of the run in them, those of pods begin with their Job's, and no name ever changes.
 * Pure.
 */
import { API_VERSION, jobName, KIND, LABEL } from '../api/names.ts';
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

/** How the Jobs of a run name it as their controller. */
export function ownerOf({ metadata: { name, uid } }: Run): OwnerReference {
  return { apiVersion: API_VERSION, kind: KIND, name, uid, controller: true, blockOwnerDeletion: true };
}

/**
 * What a Job with the name of one of ours has lost of its metadata; undefined for one that is not ours. It makes its pods
 * with our labels, and those nobody can change.
 */
export function lossesOf(
  { metadata, spec }: DeepReadonly<Job>,
  run: Run,
): Pick<KubeObject['metadata'], 'labels' | 'ownerReferences'> | undefined {
  const made = spec.template.metadata?.labels ?? {};
  const owned = isOurJob({ metadata }, run);
  const orphaned = controllerOf({ metadata }) === undefined && made[LABEL.runUID] === run.metadata.uid;
  if (!owned && !orphaned) return undefined;
  const lost = Object.values(LABEL).filter((name) => metadata.labels?.[name] !== made[name]);
  const labels = Object.fromEntries(lost.map((name) => [name, made[name] ?? '']));
  return {
    ...(lost.length > 0 ? { labels } : {}),
    ...(owned ? {} : { ownerReferences: [...(metadata.ownerReferences ?? []), ownerOf(run)] }),
  };
}
