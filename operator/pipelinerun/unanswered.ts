/**
 * A Job has failed, and the results store could not be asked what its workers have left there: it may be their success.
 * Pure.
 */
import type { DeepReadonly, Job } from '../kube/types.ts';
import { millis } from './podfacts.ts';
import type { StageInput, StagePlan } from './types.ts';

/** Seconds after the end of a Job for which an answer is waited for, and until it is asked for again. */
const ANSWER_SECONDS = 60;
const LOOK_SECONDS = 2;

/** Leaves the stage as it is, because what is said about it now says later why the Job failed; undefined: go on. */
export function awaitAnswer(
  { stage, prior, observed, now }: StageInput,
  job: DeepReadonly<Job>,
): StagePlan | undefined {
  if (observed.unanswered?.has(stage.name) !== true) return undefined;
  const failed = job.status?.conditions?.find(({ type, status }) => type === 'Failed' && status === 'True');
  const until = (millis(failed?.lastTransitionTime) ?? 0) + ANSWER_SECONDS * 1000;
  if (now.getTime() >= until) return undefined;
  const lookAt = Math.min(until, now.getTime() + LOOK_SECONDS * 1000);
  return { status: prior, actions: [], events: [], lookAt };
}
