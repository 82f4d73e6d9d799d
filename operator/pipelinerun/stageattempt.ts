/** An attempt at a stage is one Job: started, retried within its budgets, suspended, resumed. Pure. */
import { limitsOf } from '../api/defaults.ts';
import type { StageStatus } from '../api/status.ts';
import { formatTime } from '../kube/conditions.ts';
import type { DeepReadonly, Job } from '../kube/types.ts';
import { startingWorkers } from '../stages/workerspec.ts';
import { stopAll, suspendJob } from './actions.ts';
import type { Children } from './children.ts';
import { disruptionsAllowed } from './disruptions.ts';
import type { Failure } from './failure.ts';
import { isRejected, millis } from './podfacts.ts';
import { withoutRefusal } from './refusal.ts';
import { endStage } from './stageend.ts';
import { clip } from './text.ts';
import type { StageInput, StagePlan } from './types.ts';
import { activeSeconds, workersStatus } from './usage.ts';

/** Creates the Job of an attempt; the status already says what the Job will be. */
export function startAttempt(input: StageInput, prior: StageStatus, attempt: number): StagePlan {
  const { stage, now } = input;
  const used = prior.activeSeconds ?? 0;
  return {
    status: {
      ...withoutRefusal(prior),
      state: 'Provisioning',
      reason: attempt === 1 ? 'WaitingForNode' : 'Retrying',
      message: attempt === 1 ? '' : (prior.message ?? ''),
      attempt,
      logs: 'PodsLog',
      workers: { wanted: startingWorkers(stage), active: 0, succeeded: 0, failed: 0 },
      startTime: prior.startTime ?? formatTime(now),
    },
    actions: [
      {
        type: 'CreateJob',
        stage: stage.name,
        attempt,
        activeSeconds: used,
        ...(prior.disruptions ? { disruptions: prior.disruptions } : {}),
      },
    ],
    events: [],
  };
}

/** An attempt is over without success: another one, if the budget for this kind of failure allows it. */
export function retryOrFail(
  input: StageInput,
  children: Children,
  failure: Failure,
  final: boolean,
): StagePlan {
  const { stage, prior, observed } = input;
  const limits = limitsOf(observed.run.spec, stage);
  const failures = (prior.failures ?? 0) + (failure.disruption ? 0 : 1);
  const disruptions = (prior.disruptions ?? 0) + (failure.disruption ? 1 : 0);
  const used = { ...prior, failures, disruptions };
  const budget = failure.disruption
    ? disruptions <= disruptionsAllowed(stage, limits, children.job)
    : failures <= limits.failures;
  // A copy is retried inside its Job: when that has failed, its budget is spent or the plan can never succeed.
  const retry =
    budget && !final && (failure.disruption || !stage.copy) && failure.reason !== 'DeadlineExceeded';
  if (!retry) return endStage({ ...input, prior: used }, children, 'Failed', failure.reason, failure.message);
  const lookAt = pauseUntil(children, disruptions);
  if (lookAt > input.now.getTime()) {
    const status = { ...prior, reason: 'Retrying' as const, message: clip(failure.message) };
    return { status, actions: [], events: [], lookAt };
  }
  const attempt = (prior.attempt ?? 1) + 1;
  const { admitted: _released, ...rest } = used;
  const next = startAttempt(
    input,
    { ...rest, message: clip(failure.message), activeSeconds: activeSeconds(input, children) },
    attempt,
  );
  const note = clip(
    `stage ${stage.name}, attempt ${attempt - 1} (${failure.reason}): ${failure.message}`,
    1000,
  );
  return {
    ...next,
    actions: [...stopAll(children), ...next.actions],
    events: [{ type: 'Warning', reason: 'StageRetried', action: 'RetryStage', note }],
  };
}

/** Shortest and longest pause after a pod that its kubelet would not start, in milliseconds. */
const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 60_000;

/**
 * Until when the next attempt is put off, in milliseconds since the epoch. A kubelet says at once that it has no room,
 * and until the scheduler knows better it chooses the same node again: without a pause all of the budget is used up
 * within a minute. The more the stage has lost to the cluster, the longer it waits.
 */
function pauseUntil({ job, pods }: Children, disruptions: number): number {
  if (job === undefined || !pods.some(isRejected)) return 0;
  const failed = job.status?.conditions?.find(({ type, status }) => type === 'Failed' && status === 'True');
  return (
    (millis(failed?.lastTransitionTime) ?? 0) +
    Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(disruptions - 1, 10))
  );
}

/** Ends the pods and keeps the Job. Their running time is added up once. */
export function suspendAttempt(input: StageInput, children: Children, job: DeepReadonly<Job>): StagePlan {
  const { prior } = input;
  const already = prior.reason === 'Suspended';
  const status: StageStatus = {
    ...prior,
    state: 'Waiting',
    reason: 'Suspended',
    message: '',
    workers: workersStatus(input, children),
    ...(already ? {} : { activeSeconds: activeSeconds(input, children) }),
  };
  return { status, actions: job.spec.suspend === true ? [] : [suspendJob(job)], events: [] };
}

/**
 * The pod that was admitted before the suspension was ended by it: its outputs will never be whole. That is forgotten
 * first, with a status write of its own: a crash after the Job goes on would leave its next pod refused for ever.
 */
export function resumeAttempt(
  { prior, now }: StageInput,
  { pods }: Children,
  job: DeepReadonly<Job>,
): StagePlan {
  const { admitted, ...rest } = prior;
  const kept = pods.some((pod) => pod.metadata.uid === admitted && pod.status?.phase === 'Succeeded');
  if (admitted !== undefined && !kept)
    return { status: rest, actions: [], events: [], lookAt: now.getTime() };
  return {
    status: { ...prior, state: 'Provisioning', reason: 'WaitingForNode', message: '' },
    actions: [{ type: 'ResumeJob', job: job.metadata.name ?? '', uid: job.metadata.uid ?? '' }],
    events: [],
  };
}
