/**
 * One stage of a run: a ladder of guard clauses, from what ends a stage down to what it waits for. Pure.
 */
import { limitsOf } from '../api/defaults.ts';
import type { Stage } from '../api/pipelinerun.ts';
import type { StageReason } from '../api/reasons.ts';
import { isTerminal, type StageState, type StageStatus } from '../api/status.ts';
import { formatTime } from '../kube/conditions.ts';
import type { DeepReadonly, Job } from '../kube/types.ts';
import { workersOf } from '../stages/workerspec.ts';
import { attemptOf, type Children, childrenOf, podsOf } from './children.ts';
import { attemptFailure, type Failure } from './failure.ts';
import type { Readiness } from './graph.ts';
import { isConditionTrue } from './podconditions.ts';
import { activeSecondsSince, isDisrupted, isFinished } from './podfacts.ts';
import { isRefusedTooLong } from './refusal.ts';
import { successOf } from './success.ts';
import { clip } from './text.ts';
import type { Action, Observed, RunEvent } from './types.ts';
import { workStep } from './workstep.ts';

type JobView = DeepReadonly<Job>;

export interface StageInput {
  stage: Stage;
  prior: StageStatus;
  readiness: Readiness;
  canceled: boolean;
  suspended: boolean;
  observed: Observed;
  now: Date;
}

export interface StagePlan {
  status: StageStatus;
  actions: Action[];
  events: RunEvent[];
  /** When to look again even if nothing happens, in milliseconds since the epoch. */
  lookAt?: number;
  waitingFor?: { stage: string; podUID?: string; jobUID: string };
  discrepancy?: string;
}

export function planStage(given: StageInput): StagePlan {
  const { stage, readiness, observed } = given;
  const found = childrenOf(stage.name, observed.jobs, observed.pods);
  const input = { ...given, prior: catchUp(given.prior, found, observed, given.now) };
  const { prior } = input;
  const children = ofAttempt(found, prior.attempt);
  const { job, pods } = children;
  if (isTerminal(prior.state)) return keepEnded(input, children);
  if (input.canceled)
    return end(
      input,
      children,
      children.jobs.length > 0 ? 'Canceled' : 'Skipped',
      'RunCanceled',
      'the run was canceled',
    );
  if (!readiness.ready && readiness.forGood)
    return end(
      input,
      children,
      'Skipped',
      'DependencyFailed',
      `stage ${readiness.blockedBy} did not succeed`,
    );
  if (!readiness.ready)
    return stay(input, 'Waiting', 'WaitingForDependencies', `waits for stage ${readiness.blockedBy}`);
  if (!job && input.suspended) return stay(input, 'Waiting', 'Suspended', '');
  if (!job && isRefusedTooLong(prior, children.jobs, limitsOf(observed.run.spec, stage), input.now))
    return end(input, children, 'Failed', 'PodCreationRefused', prior.message ?? '');
  if (!job) return start(input, prior, prior.attempt ?? 1);
  const success = successOf(stage, prior, job, pods, observed.reports);
  if (success) return end(input, children, 'Succeeded', success.reason, success.message);
  if (isConditionTrue(job, 'Failed'))
    return retryOrFail(input, children, attemptFailure(job, pods, prior), false);
  if (input.suspended) return suspend(input, children, job);
  if (job.spec.suspend === true) return resume(input, children, job);
  return work(input, children, job);
}

/** Accounts for attempts that were started right before a crash: their Jobs are there, the status was never written. */
function catchUp(prior: StageStatus, { jobs, job }: Children, { pods }: Observed, now: Date): StageStatus {
  if (!job || isTerminal(prior.state)) return prior;
  const attempt = attemptOf(job);
  const known: StageStatus = {
    ...prior,
    attempt: prior.attempt ?? attempt,
    logs: 'PodsLog',
    startTime: prior.startTime ?? job.metadata.creationTimestamp ?? formatTime(now),
  };
  const before = jobs.at(-2);
  if (!before || attempt <= (known.attempt ?? attempt)) return known;
  const its = podsOf(before, pods);
  const failure = attemptFailure(before, its, prior);
  const { admitted: _released, ...rest } = known;
  return {
    ...rest,
    attempt,
    failures: (prior.failures ?? 0) + (failure.disruption ? 0 : 1),
    disruptions: (prior.disruptions ?? 0) + (failure.disruption ? 1 : 0),
    activeSeconds: (prior.activeSeconds ?? 0) + activeSecondsSince(before, its, now.getTime()),
  };
}

/** Without a Job while that of the attempt is not there: the cluster refused it, and is asked again. */
function ofAttempt(children: Children, attempt: number | undefined): Children {
  const { job } = children;
  return job && attemptOf(job) < (attempt ?? 0) ? { ...children, job: undefined, pods: [] } : children;
}

/** A final state never changes. What still runs is ended, unless it is only finishing after its success. */
function keepEnded({ stage, prior }: StageInput, children: Children): StagePlan {
  const failedLater = prior.state === 'Succeeded' && children.job && isConditionTrue(children.job, 'Failed');
  return {
    status: prior,
    actions: prior.state === 'Succeeded' ? [] : stopAll(children),
    events: [],
    ...(failedLater
      ? {
          discrepancy: `stage ${stage.name} had succeeded when its Job ${children.job?.metadata.name} failed`,
        }
      : {}),
  };
}

function stay({ prior }: StageInput, state: StageState, reason: StageReason, message: string): StagePlan {
  return { status: { ...prior, state, reason, message: clip(message) }, actions: [], events: [] };
}

/** The stage reaches its final state. */
function end(
  input: StageInput,
  children: Children,
  state: StageState,
  reason: StageReason,
  message: string,
): StagePlan {
  const { prior, stage, now } = input;
  const good = state === 'Succeeded';
  const bad = state === 'Failed';
  const progress = input.observed.progress.get(stage.name) ?? prior.progress;
  const status: StageStatus = {
    ...prior,
    state,
    reason,
    message: clip(message),
    ...(children.job ? { workers: workersStatus(input, children) } : {}),
    ...(progress ? { progress: good ? { ...progress, done: progress.total } : progress } : {}),
    ...(prior.startTime === undefined ? {} : { activeSeconds: activeSeconds(input, children) }),
    completionTime: formatTime(now),
  };
  const note = `stage ${stage.name}: ${message}`;
  return {
    status,
    actions: good ? [] : stopAll(children),
    events: bad ? [{ type: 'Warning', reason, action: 'FailStage', note: clip(note, 1000) }] : [],
  };
}

function start(input: StageInput, prior: StageStatus, attempt: number): StagePlan {
  const { stage, now } = input;
  const used = prior.activeSeconds ?? 0;
  return {
    status: {
      ...prior,
      state: 'Provisioning',
      reason: attempt === 1 ? 'WaitingForNode' : 'Retrying',
      message: attempt === 1 ? '' : (prior.message ?? ''),
      attempt,
      logs: 'PodsLog',
      workers: { wanted: workersOf(stage), active: 0, succeeded: 0, failed: 0 },
      startTime: prior.startTime ?? formatTime(now),
    },
    actions: [{ type: 'CreateJob', stage: stage.name, attempt, activeSeconds: used }],
    events: [],
  };
}

/** An attempt is over without success: another one, if the budget for this kind of failure allows it. */
function retryOrFail(input: StageInput, children: Children, failure: Failure, final: boolean): StagePlan {
  const { stage, prior, observed } = input;
  const limits = limitsOf(observed.run.spec, stage);
  const failures = (prior.failures ?? 0) + (failure.disruption ? 0 : 1);
  const disruptions = (prior.disruptions ?? 0) + (failure.disruption ? 1 : 0);
  const used = { ...prior, failures, disruptions };
  const budget = failure.disruption ? disruptions <= limits.disruptions : failures <= limits.failures;
  // A copy is retried inside its Job: when that has failed, its budget is spent or the plan can never succeed.
  const retry =
    budget && !final && (failure.disruption || !stage.copy) && failure.reason !== 'DeadlineExceeded';
  if (!retry) return end({ ...input, prior: used }, children, 'Failed', failure.reason, failure.message);
  const attempt = (prior.attempt ?? 1) + 1;
  const { admitted: _released, ...rest } = used;
  const next = start(
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

function suspend(input: StageInput, children: Children, job: JobView): StagePlan {
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

/** The pod that was admitted before the suspension was ended by it: its outputs will never be whole. */
function resume({ prior }: StageInput, { pods }: Children, job: JobView): StagePlan {
  const { admitted, ...rest } = prior;
  const kept = pods.some((pod) => pod.metadata.uid === admitted && pod.status?.phase === 'Succeeded');
  const next = kept ? prior : rest;
  return {
    status: { ...next, state: 'Provisioning', reason: 'WaitingForNode', message: '' },
    actions: [{ type: 'ResumeJob', job: job.metadata.name ?? '', uid: job.metadata.uid ?? '' }],
    events: [],
  };
}

/** The Job is open: release pods of dead nodes, follow the others, end what took too long. */
function work(input: StageInput, children: Children, job: JobView): StagePlan {
  const { stage, prior, observed, now } = input;
  const limits = limitsOf(observed.run.spec, stage);
  const step = workStep(
    job,
    children.pods,
    limits,
    prior.activeSeconds ?? 0,
    observed.waiting.get(stage.name),
    now.getTime(),
  );
  if (step.failed) {
    const failure = { reason: step.reason, message: step.message, disruption: false };
    return retryOrFail(input, children, failure, step.failed.final);
  }
  const lost = children.pods.filter(
    (pod) => observed.lostPods.has(pod.metadata.uid ?? '') && !isFinished(pod),
  );
  const release: Action[] = lost.map((pod) => ({
    type: 'ReleasePod',
    pod: pod.metadata.name ?? '',
    uid: pod.metadata.uid ?? '',
    node: pod.spec.nodeName ?? '',
  }));
  const disruptions = stage.copy ? children.pods.filter(isDisrupted).length : 0;
  if (disruptions > limits.disruptions)
    return end(
      input,
      children,
      'Failed',
      'Preempted',
      `lost ${disruptions} workers to the cluster; retry.disruptions allows ${limits.disruptions}`,
    );
  const progress = observed.progress.get(stage.name) ?? prior.progress;
  const podUID = step.waitingPod?.metadata.uid;
  const waits = step.state === 'Provisioning' || step.state === 'Starting';
  return {
    status: {
      ...prior,
      state: step.state,
      ...(lossOf(input, lost, children) ?? { reason: step.reason, message: clip(step.message) }),
      ...(disruptions > 0 ? { disruptions } : {}),
      workers: workersStatus(input, children),
      ...(progress ? { progress } : {}),
    },
    actions: release,
    events: [],
    ...(step.lookAt === undefined ? {} : { lookAt: step.lookAt }),
    ...(waits
      ? {
          waitingFor: {
            stage: stage.name,
            jobUID: job.metadata.uid ?? '',
            ...(podUID === undefined ? {} : { podUID }),
          },
        }
      : {}),
  };
}

/** A dead node is said when its pod is released, and until the Job controller has seen it: the pod itself is gone by then. */
function lossOf(
  { prior }: StageInput,
  lost: Children['pods'],
  { pods }: Children,
): Pick<StageStatus, 'reason' | 'message'> | undefined {
  const [pod] = lost;
  if (pod) {
    const message = `node ${pod.spec.nodeName ?? ''} does not answer; pod ${pod.metadata.name ?? ''} is given up`;
    return { reason: 'NodeLost', message: clip(message) };
  }
  return prior.reason === 'NodeLost' && pods.every(isFinished)
    ? { reason: 'NodeLost', message: prior.message ?? '' }
    : undefined;
}

/** Ends every Job of the stage that has not ended by itself. */
function stopAll({ jobs }: Children): Action[] {
  const open = jobs.filter(
    (job) =>
      !isConditionTrue(job, 'Complete') && !isConditionTrue(job, 'Failed') && job.spec.suspend !== true,
  );
  return open.map(suspendJob);
}

function suspendJob(job: JobView): Action {
  return { type: 'SuspendJob', job: job.metadata.name ?? '', uid: job.metadata.uid ?? '' };
}

/** While a stage is suspended, what its pods did is counted already. */
function activeSeconds({ prior, now }: StageInput, { job, pods }: Children): number {
  const before = prior.activeSeconds ?? 0;
  return job && prior.reason !== 'Suspended' ? before + activeSecondsSince(job, pods, now.getTime()) : before;
}

function workersStatus({ stage }: StageInput, { job, pods }: Children): NonNullable<StageStatus['workers']> {
  return {
    wanted: workersOf(stage),
    active: pods.filter((pod) => !isFinished(pod)).length,
    succeeded: job?.status?.succeeded ?? 0,
    failed: job?.status?.failed ?? 0,
  };
}
