/**
 * A stage without the Job of its attempt: deleted by somebody while the stage ran, which is a disruption and the next
 * attempt; or not created yet. Either way, what pods are left ends first. Pure.
 */
import { isTerminal, type StageStatus } from '../api/status.ts';
import { endPods, GRACE_SECONDS, releaseLost } from './actions.ts';
import type { Children } from './children.ts';
import type { Failure } from './failure.ts';
import { placeOf } from './ours.ts';
import { withoutRefusal } from './refusal.ts';
import { retryOrFail, startAttempt } from './stageattempt.ts';
import { clip } from './text.ts';
import type { Action, StageInput, StagePlan } from './types.ts';
import { awaitAdmitted } from './unanswered.ts';
import { isWaitedFor, waitedForUntil } from './unending.ts';
import { activeSeconds } from './usage.ts';

/**
 * Whether a stage without a Job once had it. The status names an attempt only when its Job was there, or was refused;
 * a suspended stage has nothing to lose with its Job.
 */
export function wasDeleted({ attempt, state, refusedSince }: StageStatus): boolean {
  return attempt !== undefined && state !== 'Waiting' && !isTerminal(state) && refusedSince === undefined;
}

/** The next attempt begins when no pod of the deleted Job can write any more. */
export function replaceDeleted(input: StageInput, children: Children): StagePlan {
  const { stage, prior } = input;
  const attempt = prior.attempt ?? 1;
  const message = `somebody deleted the Job of attempt ${attempt}`;
  const failure: Failure = { reason: 'JobDeleted', message, disruption: true };
  const status = counted(input, children);
  const ending = endLeft(input, { ...status, state: 'Finalizing', reason: failure.reason, message });
  if (ending) return ending;
  const waiting = awaitAdmitted(input);
  if (waiting) return waiting;
  const next = retryOrFail(input, children, failure, false);
  return { ...next, actions: [{ type: 'ConfirmJobGone', stage: stage.name, attempt }, ...next.actions] };
}

/** An attempt that never had its Job, or lost it while it was suspended: nothing of it counts, its admission neither. */
export function beginAttempt(input: StageInput): StagePlan {
  const { admitted: _ended, ...prior } = input.prior;
  return (
    endLeft(input, { ...input.prior, message: '' }) ??
    awaitAdmitted(input) ??
    startAttempt(input, prior, prior.attempt ?? 1)
  );
}

/** With the time of an attempt whose Job is gone. The status says so from then on, so that it is added once. */
function counted(input: StageInput, children: Children): StageStatus {
  const { prior } = input;
  return wasDeleted(prior) ? { ...prior, activeSeconds: activeSeconds(input, children) } : prior;
}

/** A stage that has no Job, or has it no more, while its run is suspended. */
export function suspendDeleted(input: StageInput, children: Children): StagePlan {
  const status: StageStatus = {
    ...withoutRefusal(counted(input, children)),
    state: 'Waiting',
    reason: 'Suspended',
    message: '',
  };
  return endLeft(input, status) ?? { status, actions: [], events: [] };
}

/**
 * What to do while pods are left of a Job that is gone; undefined once none can write any more, or is not waited for: the
 * worker API knows none whose Job is gone.
 */
function endLeft({ stage, prior, observed, now }: StageInput, waiting: StageStatus): StagePlan | undefined {
  const left = observed.pods.filter((pod) => isWaitedFor(pod, now) && placeOf(pod, observed.run, [stage]));
  const [first] = left;
  if (!first) return undefined;
  const graces = left.map((pod) => pod.spec.terminationGracePeriodSeconds ?? GRACE_SECONDS);
  const ends = endPods(left);
  // Pods may be known before their Job: it is asked for before they lose anything, and before the status says so.
  const confirm: Action = { type: 'ConfirmJobGone', stage: stage.name, attempt: prior.attempt ?? 1 };
  const isNews = waiting.reason === 'JobDeleted' && prior.reason !== waiting.reason;
  const what = waiting.message ? `${waiting.message}; ` : '';
  return {
    status: { ...waiting, message: clip(`${what}pod ${first.metadata.name ?? ''} is ending`) },
    actions: [
      ...(ends.length > 0 || isNews ? [confirm, ...ends] : []),
      ...releaseLost(left, observed.lostPods),
    ],
    events: [],
    lookAt: Math.min(
      now.getTime() + Math.max(...graces) * 1000,
      ...left.map((pod) => waitedForUntil(pod) ?? Infinity),
    ),
  };
}
