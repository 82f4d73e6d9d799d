/**
 * A Job whose end is open: what its pods are doing, and whether it took too long. A ladder from "no pod yet" to
 * "its command has ended". Pure.
 */
import type { StageLimits } from '../api/defaults.ts';
import type { StageReason } from '../api/reasons.ts';
import type { StageState } from '../api/status.ts';
import type { DeepReadonly, Job, Pod } from '../kube/types.ts';
import { CONTAINERS } from '../../workers/contract/environment.ts';
import { podFailure } from './failure.ts';
import { isConditionTrue } from './trueconditions.ts';
import {
  activeSecondsSince,
  containerStatus,
  endedAt,
  isOpen,
  millis,
  scheduledAt,
  startedAt,
  workContainer,
  workerIndex,
} from './podfacts.ts';
import type { Waiting } from './types.ts';

/** Seconds that our agent has to report after the command ended with an error; afterwards the pod is ended. */
const REPORT_SECONDS = 30;
/** Seconds that a busy kubelet may take to show the end of the command after that of our agent. */
const SHOWN_SECONDS = 30;
/** Longest back-off of the Job controller before it replaces a failed pod. */
const JOB_BACKOFF_SECONDS = 600;
/** Seconds that the kubelet has, beyond the pod's own deadline, to end the pod. */
const KUBELET_SECONDS = 60;

export interface WorkStep {
  state: StageState;
  reason: StageReason;
  message: string;
  /** Too late or beyond help: the attempt is to be ended. `final`: another attempt would not help either. */
  failed?: { final: boolean };
  /** When to look again, in milliseconds since the epoch. */
  lookAt?: number;
  /** The pod whose events say why the stage waits. */
  waitingPod?: DeepReadonly<Pod>;
}

export function workStep(
  job: DeepReadonly<Job>,
  pods: readonly DeepReadonly<Pod>[],
  limits: StageLimits,
  activeSecondsBefore: number,
  waiting: Waiting | undefined,
  now: number,
): WorkStep {
  const open = pods.filter(isOpen);
  // The worker that is furthest behind tells where the stage stands.
  const unscheduled = open.find((pod) => scheduledAt(pod) === undefined);
  if (unscheduled || open.length === 0) return provisioning(job, pods, unscheduled, limits, waiting, now);
  const unstarted = open.find((pod) => startedAt(pod) === undefined);
  if (unstarted) return starting(unstarted, limits, waiting, now);
  const broken = open.find(hasFailed);
  if (broken) return reporting(broken, now);
  const orphaned = open.find((pod) => endedAt(pod) === undefined && agentFailure(pod) !== undefined);
  if (orphaned) return leftAlone(orphaned, now);
  if (open.every((pod) => endedAt(pod) !== undefined)) return storing(open, limits, now);
  return running(job, pods, limits, activeSecondsBefore, now);
}

/** Whether the work of the pod has ended with an error. */
export function hasFailed(pod: DeepReadonly<Pod>): boolean {
  return (workContainer(pod)?.state?.terminated?.exitCode ?? 0) !== 0;
}

/** How our agent ended. */
function agentFailure(pod: DeepReadonly<Pod>) {
  const terminated = containerStatus(pod, CONTAINERS.agent)?.state?.terminated;
  return terminated && terminated.exitCode !== 0 ? terminated : undefined;
}

/**
 * Our agent has failed and the command seems to go on: nobody is left to store its outputs. But the agent ends right
 * after a command that has failed, and the kubelet may show it first: a pod that is ending by itself is not ended, for
 * its log is read once more after its end.
 */
function leftAlone(pod: DeepReadonly<Pod>, now: number): WorkStep {
  const { reason, message } = podFailure(pod) ?? { reason: 'Error' as const, message: 'the agent failed' };
  const until = (millis(agentFailure(pod)?.finishedAt) ?? now) + SHOWN_SECONDS * 1000;
  const step: WorkStep = { state: 'Running', reason, message };
  return now < until ? { ...step, lookAt: until } : { ...step, failed: { final: false } };
}

/** No pod has a node: none was made yet, or those that were have ended. */
export function provisioning(
  job: DeepReadonly<Job>,
  pods: readonly DeepReadonly<Pod>[],
  pod: DeepReadonly<Pod> | undefined,
  limits: StageLimits,
  waiting: Waiting | undefined,
  now: number,
): WorkStep {
  const done = new Set(pods.filter((one) => one.status?.phase === 'Succeeded').map(workerIndex));
  const last = pods.findLast((one) => !done.has(workerIndex(one)));
  if (!pod && !last && pods.length > 0)
    return { state: 'Finalizing', reason: 'UploadingOutputs', message: 'the last pod has ended' };
  // Resumed, but the Job controller has not begun yet: its start time is still that of the time before.
  const began = isConditionTrue(job, 'Suspended') ? now : (millis(job.status?.startTime) ?? 0);
  if (!pod && last) return replacing(pods, last, began, limits, waiting, now);
  const created =
    millis(pod?.metadata.creationTimestamp) ?? Math.max(millis(job.metadata.creationTimestamp) ?? now, began);
  // A worker may have waited for as long as others had the nodes; now theirs are free.
  const since = Math.max(created, ...pods.map((one) => endedAt(one) ?? 0));
  const deadline = since + limits.provisionTimeoutSeconds * 1000;
  const reason = waiting?.reason ?? 'WaitingForNode';
  const message = waiting?.message ?? (pod ? 'the pod waits for a node' : 'the Job has no pod yet');
  if (now < deadline)
    return { state: 'Provisioning', reason, message, lookAt: deadline, ...(pod ? { waitingPod: pod } : {}) };
  return {
    state: 'Provisioning',
    reason: reason === 'PodCreationRefused' ? reason : 'Unschedulable',
    message: `no node within ${limits.provisionTimeoutSeconds} s: ${message}`,
    failed: { final: true },
  };
}

/** Every pod has ended or is ending, and the Job controller has not said that this was the last one. */
function replacing(
  pods: readonly DeepReadonly<Pod>[],
  last: DeepReadonly<Pod>,
  began: number,
  limits: StageLimits,
  waiting: Waiting | undefined,
  now: number,
): WorkStep {
  const failure = podFailure(last);
  const refused = waiting?.reason === 'PodCreationRefused' ? waiting : undefined;
  const message =
    refused?.message ?? failure?.message ?? 'the last pod has ended or is ending; the next one starts';
  const ends = pods.map((pod) =>
    Math.max(
      endedAt(pod) ?? 0,
      millis(pod.metadata.deletionTimestamp) ?? 0,
      millis(pod.metadata.creationTimestamp) ?? 0,
    ),
  );
  const seconds = limits.provisionTimeoutSeconds + JOB_BACKOFF_SECONDS;
  const deadline = Math.max(began, ...ends) + seconds * 1000;
  const state = 'Provisioning';
  if (now < deadline) return { state, reason: refused?.reason ?? 'Retrying', message, lookAt: deadline };
  return {
    state,
    reason: refused?.reason ?? failure?.reason ?? 'Error',
    message: `no new pod within ${seconds} s: ${message}`,
    failed: { final: true },
  };
}

/** Words that mean more than "not started in time". */
const START_FAILURES = new Set<StageReason>(['ImagePullFailed', 'ContainerConfigError']);

function starting(
  pod: DeepReadonly<Pod>,
  limits: StageLimits,
  waiting: Waiting | undefined,
  now: number,
): WorkStep {
  const deadline = (scheduledAt(pod) ?? now) + limits.startTimeoutSeconds * 1000;
  const reason = waiting?.reason ?? 'StartingContainers';
  const message = waiting?.message ?? 'images are pulled and inputs fetched';
  if (now < deadline) return { state: 'Starting', reason, message, lookAt: deadline, waitingPod: pod };
  return {
    state: 'Starting',
    reason: START_FAILURES.has(reason) ? reason : 'StartTimeout',
    message: `not started within ${limits.startTimeoutSeconds} s: ${message}`,
    failed: { final: true },
  };
}

/** The command ended with an error; our agent may still say more. */
function reporting(pod: DeepReadonly<Pod>, now: number): WorkStep {
  const until = (endedAt(pod) ?? now) + REPORT_SECONDS * 1000;
  const { reason, message } = podFailure(pod) ?? { reason: 'Error' as const, message: 'the command failed' };
  const step: WorkStep = { state: 'Finalizing', reason, message };
  return now < until ? { ...step, lookAt: until } : { ...step, failed: { final: false } };
}

/** The commands have ended well. The kubelet's deadline bounds the storing of outputs; a kubelet may fail to keep it. */
function storing(pods: readonly DeepReadonly<Pod>[], limits: StageLimits, now: number): WorkStep {
  const start = Math.max(...pods.map((pod) => startedAt(pod) ?? now));
  const seconds = limits.activeDeadlineSeconds + limits.startTimeoutSeconds + KUBELET_SECONDS;
  const until = start + seconds * 1000;
  const state = 'Finalizing';
  if (now < until) {
    const message = 'the command has ended; outputs are being stored';
    return { state, reason: 'UploadingOutputs', message, lookAt: until };
  }
  const message = `the command has ended, but its outputs were not stored within ${seconds} s of its start`;
  return { state, reason: 'DeadlineExceeded', message, failed: { final: true } };
}

/** The work goes on, unless it has run for too long. */
export function running(
  job: DeepReadonly<Job>,
  pods: readonly DeepReadonly<Pod>[],
  limits: StageLimits,
  before: number,
  now: number,
): WorkStep {
  const used = before + activeSecondsSince(job, pods, now);
  const left = limits.activeDeadlineSeconds - used;
  const step: WorkStep = { state: 'Running', reason: 'Working', message: '' };
  if (left > 0) return { ...step, lookAt: now + left * 1000 };
  return {
    ...step,
    reason: 'DeadlineExceeded',
    message: `ran longer than activeDeadlineSeconds (${limits.activeDeadlineSeconds})`,
    failed: { final: true },
  };
}
