/** The Job of an attempt that somebody has deleted while its stage ran: a disruption, and the next attempt. Pure. */
import { LABEL } from '../api/names.ts';
import { isTerminal, type StageStatus } from '../api/status.ts';
import { releaseLost } from './actions.ts';
import type { Children } from './children.ts';
import type { Failure } from './failure.ts';
import { isFinished } from './podfacts.ts';
import { retryOrFail } from './stageattempt.ts';
import { clip } from './text.ts';
import type { Action, StageInput, StagePlan } from './types.ts';

/** Grace of a pod that does not say another one, in seconds, as in the API of Kubernetes. */
const GRACE_SECONDS = 30;

/**
 * Whether a stage without a Job once had it. The status names an attempt only when its Job was there, or was refused;
 * a suspended stage has nothing to lose with its Job.
 */
export function wasDeleted({ attempt, state, reason }: StageStatus): boolean {
  return (
    attempt !== undefined && state !== 'Waiting' && !isTerminal(state) && reason !== 'PodCreationRefused'
  );
}

/** The next attempt begins when no pod of the deleted Job can write any more. */
export function replaceDeleted(input: StageInput, children: Children): StagePlan {
  const { stage, prior, observed, now } = input;
  const attempt = prior.attempt ?? 1;
  const message = `somebody deleted the Job of attempt ${attempt}`;
  const failure: Failure = { reason: 'JobDeleted', message, disruption: true };
  const left = observed.pods.filter(
    (pod) => pod.metadata.labels?.[LABEL.stage] === stage.name && !isFinished(pod),
  );
  if (left.length > 0) {
    const graces = left.map((pod) => pod.spec.terminationGracePeriodSeconds ?? GRACE_SECONDS);
    // With --cascade=orphan nobody else ends the pods.
    const orphans = left.filter((pod) => pod.metadata.deletionTimestamp === undefined);
    const waits = clip(`${message}; pod ${left[0]?.metadata.name ?? ''} is ending`);
    return {
      status: { ...prior, state: 'Finalizing', reason: failure.reason, message: waits },
      actions: [...orphans.map(deletePod), ...releaseLost(left, observed.lostPods)],
      events: [],
      lookAt: now.getTime() + Math.max(...graces) * 1000,
    };
  }
  const next = retryOrFail(input, children, failure, false);
  return { ...next, actions: [{ type: 'ConfirmJobGone', stage: stage.name, attempt }, ...next.actions] };
}

function deletePod({ metadata, spec }: StageInput['observed']['pods'][number]): Action {
  const graceSeconds = spec.terminationGracePeriodSeconds ?? GRACE_SECONDS;
  return { type: 'DeletePod', pod: metadata.name ?? '', uid: metadata.uid ?? '', graceSeconds };
}
