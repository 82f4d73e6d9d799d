/**
 * What is ours of what bears our labels: anybody can put them on anything, or take them away. Owners and names say it:
 * the names of our Jobs have a digest of the run in them, those of pods begin with their Job's, and no name ever changes.
 * Pure.
 */
import { limitsOf } from '../api/defaults.ts';
import { API_VERSION, jobName, jobPrefix, KIND, LABEL, MANAGED_BY } from '../api/names.ts';
import type { Stage } from '../api/pipelinerun.ts';
import type { PipelineRun } from '../api/types.ts';
import { controllerOf } from '../kube/owners.ts';
import type { DeepReadonly, Job, KubeObject, OwnerReference, Pod } from '../kube/types.ts';
import { disruptionsAllowed } from './disruptions.ts';

type Run = Pick<PipelineRun, 'metadata' | 'spec' | 'status'>;

/** Where in its run a Job or pod is. */
export interface Place {
  /** Name of the stage. */
  stage: string;
  /** Attempt of the stage, counted from 1. */
  attempt: number;
}

/**
 * Which stage and attempt of the run the Job is, or the pod was made for; undefined for what the run has not made. The Job
 * of a pod may be gone, also without the pod. Told which, it looks among those stages only.
 */
export function placeOf(
  object: DeepReadonly<Job | Pod>,
  run: Run,
  stages: readonly Stage[] = run.spec.stages,
): Place | undefined {
  const { namespace, name = '' } = object.metadata;
  if (namespace !== run.metadata.namespace) return undefined;
  const controller = controllerOf(object);
  if ('template' in object.spec)
    return controller?.uid === run.metadata.uid ? placeNamed(name, run, stages) : undefined;
  if (controller) return controller.kind === 'Job' ? placeNamed(controller.name, run, stages) : undefined;
  const suffix = /-\d+-[a-z0-9]{5}$/.exec(name)?.[0];
  if (suffix === undefined) return undefined;
  return placeNamed(name.slice(0, -suffix.length), run, stages, MAX_POD_NAME - suffix.length);
}

/** Longest name of a pod of an Indexed Job: where that is too long, the Job controller cuts the name of the Job. */
const MAX_POD_NAME = 63;

/** The place of the Job whose name begins so: with all of it, or with the first `length` characters. */
function placeNamed(name: string, run: Run, stages: readonly Stage[], length = Infinity): Place | undefined {
  for (const stage of stages) {
    // Most stages are told apart without a digest.
    if (!name.startsWith(jobPrefix(run.metadata.name, stage.name))) continue;
    const attempt = attemptIn(name);
    if (attempt === undefined || attempt > mostAttempts(run, stage)) continue;
    if (jobName(run.metadata, stage.name, attempt).slice(0, length) === name)
      return { stage: stage.name, attempt };
  }
  return undefined;
}

/** The attempt of a Job that is known to be the run's. */
export function attemptOf({ metadata }: DeepReadonly<Job>): number {
  return attemptIn(metadata.name ?? '') ?? 0;
}

/** As the name of a Job says it, which may have been cut. */
function attemptIn(name: string): number | undefined {
  const text = /-([1-9]\d{0,8})-[0-9a-f]{1,8}$/.exec(name)?.[1];
  return text === undefined ? undefined : Number(text);
}

/** Each attempt but the first follows a failure or a disruption, and the spec says how many of both there may be. */
function mostAttempts({ spec }: Run, stage: Stage): number {
  const limits = limitsOf(spec, stage);
  return 1 + limits.failures + disruptionsAllowed(stage, limits, undefined);
}

/** Names of the Jobs of all attempts that the status knows, and of one more: it may have begun right before a crash. */
export function jobNamesOf(run: Run): string[] {
  const known = new Map((run.status?.stages ?? []).map(({ name, attempt = 0 }) => [name, attempt]));
  return run.spec.stages.flatMap((stage) => {
    const length = Math.min((known.get(stage.name) ?? 0) + 1, mostAttempts(run, stage));
    return Array.from({ length }, (_, before) => jobName(run.metadata, stage.name, before + 1));
  });
}

/** How the Jobs of a run name it as their controller. */
export function ownerOf({ metadata: { name, uid } }: Pick<Run, 'metadata'>): OwnerReference {
  return { apiVersion: API_VERSION, kind: KIND, name, uid, controller: true, blockOwnerDeletion: true };
}

/** Labels of everything that belongs to one attempt. */
export function attemptLabels(
  { metadata: { name, uid } }: { metadata: Pick<DeepReadonly<PipelineRun>['metadata'], 'name' | 'uid'> },
  stage: string,
  attempt: number,
): Record<string, string> {
  return {
    [LABEL.managedBy]: MANAGED_BY,
    [LABEL.run]: name,
    [LABEL.runUID]: uid,
    [LABEL.stage]: stage,
    [LABEL.attempt]: String(attempt),
  };
}

/**
 * What a Job with the name of one of ours has lost of its metadata; undefined for one that is not ours. One without an
 * owner is ours when it makes its pods with the label of the run: that nobody can change.
 */
export function lossesOf(
  { metadata, spec }: DeepReadonly<Job>,
  run: Run,
): Pick<KubeObject['metadata'], 'labels' | 'ownerReferences'> | undefined {
  const place = placeNamed(metadata.name ?? '', run, run.spec.stages);
  const owner = controllerOf({ metadata });
  const isOwned = owner?.uid === run.metadata.uid;
  const isMade = spec.template.metadata?.labels?.[LABEL.runUID] === run.metadata.uid;
  if (!place || !(owner ? isOwned : isMade)) return undefined;
  const labels = missingLabels(metadata.labels, attemptLabels(run, place.stage, place.attempt));
  return {
    ...(Object.keys(labels).length > 0 ? { labels } : {}),
    ...(isOwned ? {} : { ownerReferences: [...(metadata.ownerReferences ?? []), ownerOf(run)] }),
  };
}

/**
 * Whether the Job is the run's and has all by which it and its pods are watched. What it makes its pods with cannot be
 * given back.
 */
export function isWhole(job: DeepReadonly<Job>, run: Run): boolean {
  const losses = lossesOf(job, run);
  const place = losses && placeNamed(job.metadata.name ?? '', run, run.spec.stages);
  if (!place || Object.keys(losses).length > 0) return false;
  const made = missingLabels(
    job.spec.template.metadata?.labels,
    attemptLabels(run, place.stage, place.attempt),
  );
  return Object.keys(made).length === 0;
}

/** Those of the labels that are due and not there. */
function missingLabels(
  labels: Readonly<Record<string, string>> = {},
  due: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(Object.entries(due).filter(([name, value]) => labels[name] !== value));
}
