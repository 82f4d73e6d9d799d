/**
 * What the results store may know about a run and nobody has told: plans of copies and last words of workers that were
 * stored while no operator listened, or right before the worker was lost. Pure.
 */
import { stageKind } from '../api/defaults.ts';
import type { Stage } from '../api/pipelinerun.ts';
import { isTerminal, type StageStatus } from '../api/status.ts';
import type { DeepReadonly, Job, Pod } from '../kube/types.ts';
import type { AttemptRef } from '../results/types.ts';
import { attemptRef } from './attempts.ts';
import { type Children, childrenOf } from './children.ts';
import { goodWordsOf } from './copyend.ts';
import { mayGrow } from './growth.ts';
import { isFinished } from './podfacts.ts';
import { isConditionTrue } from './trueconditions.ts';
import type { Observed } from './types.ts';

export type Question =
  /** For how many workers a copy is planned. */
  | { about: 'Plan'; stage: string }
  /** The last word of one pod. One that has `ended` leaves none later: an answer is the last. */
  | { about: 'Pod'; attempt: AttemptRef; ended: boolean }
  /** The last words of all pods that workers of a copy Job had; the pods may be gone with their nodes. */
  | { about: 'Workers'; stage: string; job: string; indexes: number[] };

export function questionsOf(observed: Observed): Question[] {
  const { run } = observed;
  return run.spec.stages.flatMap((stage) => {
    const known = run.status?.stages?.find(({ name }) => name === stage.name);
    if (known && isTerminal(known.state)) return [];
    const children = childrenOf(stage, observed);
    return [
      ...askPlan(stage, known, observed),
      ...children.pods
        .filter((pod) => isSilent(stage, pod, observed))
        .flatMap((pod) => askPod(pod, observed)),
      ...askAdmitted(stage, known, children, observed),
      ...askWorkers(stage, children, observed),
    ];
  });
}

/** While a stage is not seen to be running, its plan is news that its worker is about to tell. */
function askPlan(stage: Stage, known: StageStatus | undefined, { plans }: Observed): Question[] {
  const { state = 'Waiting' } = known ?? {};
  const begun = state !== 'Waiting' && state !== 'Provisioning';
  return begun && mayGrow(stage) && !plans.has(stage.name) ? [{ about: 'Plan', stage: stage.name }] : [];
}

/** A pod that has ended and said nothing. Where nothing but success matters, that of a pod shows by itself. */
function isSilent(stage: Stage, pod: DeepReadonly<Pod>, { reports, lostPods }: Observed): boolean {
  const podUID = pod.metadata.uid ?? '';
  if (reports.has(podUID)) return false;
  if (!isFinished(pod)) return lostPods.has(podUID);
  return stage.copy !== undefined || pod.status?.phase === 'Failed';
}

function askPod(pod: DeepReadonly<Pod>, { run }: Observed): Question[] {
  const attempt = attemptRef(run, pod);
  return attempt ? [{ about: 'Pod', attempt, ended: isFinished(pod) }] : [];
}

/** The pod whose outputs count is over, and it or its Job is gone: it may have stored all of them before that. */
function askAdmitted(
  stage: Stage,
  known: StageStatus | undefined,
  children: Children,
  { run, pods, reports, lostPods }: Observed,
): Question[] {
  const { admitted: podUID, attempt = 1 } = known ?? {};
  if (podUID === undefined || reports.has(podUID)) return [];
  const pod = pods.find(({ metadata }) => metadata.uid === podUID);
  if (pod && (children.pods.includes(pod) || (!isFinished(pod) && !lostPods.has(podUID)))) return [];
  const { uid: runUID, name, namespace } = run.metadata;
  const what = { stage: stage.name, kind: stageKind(stage), index: 0, attempt };
  const ref = { runUID, run: name, namespace, ...what, podUID, podName: '' };
  return [{ about: 'Pod', attempt: ref, ended: false }];
}

/** Workers of a copy Job that is over, of which nobody has heard that they did their part. */
function askWorkers(stage: Stage, { job }: Children, { reports, heard }: Observed): Question[] {
  if (!stage.copy || !job || !isOver(job) || heard.has(job.metadata.uid ?? '')) return [];
  const good = new Set(goodWordsOf(stage, job, reports).map(({ index }) => index));
  const all = Array.from({ length: job.spec.completions ?? 1 }, (_, index) => index);
  const indexes = all.filter((index) => !good.has(index));
  const question: Question = { about: 'Workers', stage: stage.name, job: job.metadata.uid ?? '', indexes };
  return indexes.length > 0 ? [question] : [];
}

function isOver(job: DeepReadonly<Job>): boolean {
  return isConditionTrue(job, 'Complete') || isConditionTrue(job, 'Failed');
}
