/**
 * How many workers a copy has lost to the cluster. Its Job replaces them by itself and the lost pods go away, so they
 * are noted on the Job while they are there. Pure.
 */
import { ANNOTATION } from '../api/names.ts';
import type { DeepReadonly, Job, Pod } from '../kube/types.ts';
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
  const before = Number(annotations[ANNOTATION.disruptedBefore] ?? 0) || 0;
  return {
    count: before + all.length,
    actions: all.length > noted.length ? [{ type: 'NoteDisrupted', job: name, uid, pods: all }] : [],
  };
}

/** Of a new Job, whose stage has lost so many workers before. */
export function disruptedBefore(count: number): Record<string, string> {
  return count > 0 ? { [ANNOTATION.disruptedBefore]: String(count) } : {};
}
