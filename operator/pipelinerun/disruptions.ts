/**
 * How many workers a copy has lost to the cluster. Its Job replaces them by itself and the lost pods go away, so they
 * are noted on the Job while they are there. Pure.
 */
import type { StageLimits } from '../api/defaults.ts';
import { ANNOTATION } from '../api/names.ts';
import type { Stage } from '../api/pipelinerun.ts';
import type { DeepReadonly, Job, Pod } from '../kube/types.ts';
import { mostWorkers } from '../stages/workerspec.ts';
import { isDisrupted, isFinished } from './podfacts.ts';
import type { Action } from './types.ts';

export interface Disruptions {
  /** Over all attempts of the stage. */
  count: number;
  /** To be done before any of the pods is deleted; empty when all are noted. */
  actions: Action[];
}

/** Characters of a UID that tell the pods of one Job apart. */
const UID_LENGTH = 8;
/** Longest note: all annotations of an object share 256 KiB. What is lost beyond it is counted while its pods are there. */
const MOST_NOTED = 20_000;

export function disruptionsOf(
  job: DeepReadonly<Job>,
  pods: readonly DeepReadonly<Pod>[],
  lostPods: ReadonlySet<string>,
): Disruptions {
  const { name = '', uid = '', annotations = {} } = job.metadata;
  const noted = (annotations[ANNOTATION.disrupted] ?? '').split(' ').filter((part) => part !== '');
  const seen = pods
    .filter((pod) => isDisrupted(pod) || (lostPods.has(pod.metadata.uid ?? '') && !isFinished(pod)))
    .map((pod) => (pod.metadata.uid ?? '').slice(0, UID_LENGTH));
  const all = [...new Set([...noted, ...seen])];
  const note = all.slice(0, MOST_NOTED);
  const before = Number(annotations[ANNOTATION.disruptedBefore] ?? 0) || 0;
  return {
    count: before + all.length,
    actions: note.length > noted.length ? [{ type: 'NoteDisrupted', job: name, uid, pods: note }] : [],
  };
}

/**
 * How many disruptions a stage may have. The budget is each worker's, and spot nodes rarely go one at a time: the many
 * workers of a copy have as many budgets.
 */
export function disruptionsAllowed(
  stage: Stage,
  limits: StageLimits,
  job: DeepReadonly<Job> | undefined,
): number {
  const workers = stage.copy ? (job?.spec.completions ?? mostWorkers(stage)) : 1;
  return limits.disruptions * workers;
}

/** Of a new Job, whose stage has lost so many workers before. */
export function disruptedBefore(count: number): Record<string, string> {
  return count > 0 ? { [ANNOTATION.disruptedBefore]: String(count) } : {};
}
