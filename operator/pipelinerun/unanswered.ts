/**
 * The work of a stage has ended without success, and the results store could not be asked what its workers have left
 * there: it may be their success. Pure.
 */
import type { DeepReadonly, Job } from '../kube/types.ts';
import { millis } from './podfacts.ts';
import type { StageInput, StagePlan } from './types.ts';

/** Seconds for which an answer is waited for, and until it is asked for again. */
const ANSWER_SECONDS = 60;
const LOOK_SECONDS = 2;

/** A Job has failed. */
export function awaitAnswer(input: StageInput, job: DeepReadonly<Job>): StagePlan | undefined {
  if (input.observed.unanswered?.has(input.stage.name) !== true) return undefined;
  const failed = job.status?.conditions?.find(({ type, status }) => type === 'Failed' && status === 'True');
  return waitSince(input, millis(failed?.lastTransitionTime) ?? 0);
}

/**
 * An attempt begins again, with a Job of its own or with the same one: that forgets which pod's outputs count, and this
 * pod may have stored all of them. Nothing says when it went.
 */
export function awaitAdmitted(input: StageInput): StagePlan | undefined {
  const since = input.observed.unanswered?.get(input.stage.name);
  return input.prior.admitted === undefined || since === undefined ? undefined : waitSince(input, since);
}

/** Leaves the stage as it is, because what is said about it now says later why the Job failed; undefined: go on. */
function waitSince({ prior, now }: StageInput, since: number): StagePlan | undefined {
  const until = since + ANSWER_SECONDS * 1000;
  if (now.getTime() >= until) return undefined;
  const lookAt = Math.min(until, now.getTime() + LOOK_SECONDS * 1000);
  return { status: prior, actions: [], events: [], lookAt };
}
