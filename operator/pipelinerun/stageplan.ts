/**
 * One stage of a run: a ladder of guard clauses, from what ends a stage down to what it waits for. Pure.
 */
import { limitsOf } from '../api/defaults.ts';
import type { StageReason } from '../api/reasons.ts';
import { isTerminal, type StageState } from '../api/status.ts';
import type { DeepReadonly, Job } from '../kube/types.ts';
import { catchUp, ofAttempt } from './catchup.ts';
import { type Children, childrenOf } from './children.ts';
import { withFigures, wordsOf } from './copyend.ts';
import { beginAttempt, replaceDeleted, suspendDeleted, wasDeleted } from './deletedjob.ts';
import { attemptFailure, type Failure } from './failure.ts';
import { isConditionTrue } from './trueconditions.ts';
import { isRefusedTooLong } from './refusal.ts';
import { resumeAttempt, retryOrFail, suspendAttempt } from './stageattempt.ts';
import { endStage, keepEnded } from './stageend.ts';
import { followJob } from './stagework.ts';
import { outcomeOf } from './success.ts';
import { clip } from './text.ts';
import type { StageInput, StagePlan } from './types.ts';
import { awaitAdmitted, awaitAnswer } from './unanswered.ts';

export function planStage(given: StageInput): StagePlan {
  const { stage, readiness, observed } = given;
  const found = childrenOf(stage, observed);
  const input = { ...given, prior: catchUp(given.prior, found, observed, given.now) };
  const { prior } = input;
  const children = ofAttempt(found, prior.attempt);
  const { job, pods } = children;
  if (isTerminal(prior.state)) return keepEnded(input, children);
  if (input.canceled)
    return endStage(
      input,
      children,
      children.jobs.length > 0 || wasDeleted(prior) ? 'Canceled' : 'Skipped',
      'RunCanceled',
      'the run was canceled',
    );
  if (!readiness.ready && readiness.forGood)
    return endStage(
      input,
      children,
      'Skipped',
      'DependencyFailed',
      `stage ${readiness.blockedBy} did not succeed`,
    );
  if (!readiness.ready)
    return stay(input, 'Waiting', 'WaitingForDependencies', `waits for stage ${readiness.blockedBy}`);
  const outcome = outcomeOf(input, job, pods);
  if (outcome) return endStage(input, children, outcome.state, outcome.reason, outcome.message);
  if (!job && input.suspended) return suspendDeleted(input, children);
  if (!job && isRefusedTooLong(prior, limitsOf(observed.run.spec, stage), input.now))
    return endStage(input, children, 'Failed', 'PodCreationRefused', prior.message ?? '');
  if (!job && wasDeleted(prior)) return replaceDeleted(input, children);
  if (!job) return beginAttempt(input);
  if (isConditionTrue(job, 'Failed'))
    return awaitAnswer(input, job) ?? retryOrFail(input, children, failureOf(input, children, job), false);
  if (input.suspended) return suspendAttempt(input, children, job);
  if (job.spec.suspend === true) return awaitAdmitted(input) ?? resumeAttempt(input, children, job);
  return followJob(input, children, job);
}

function failureOf(
  { stage, prior, observed }: StageInput,
  { pods }: Children,
  job: DeepReadonly<Job>,
): Failure {
  const failure = attemptFailure(job, pods, prior);
  return withFigures(failure, wordsOf(stage.name, observed.reports));
}

function stay({ prior }: StageInput, state: StageState, reason: StageReason, message: string): StagePlan {
  return { status: { ...prior, state, reason, message: clip(message) }, actions: [], events: [] };
}
