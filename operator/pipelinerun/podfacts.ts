/** What a pod's status says, in the words of the plan. Pure; every time is in milliseconds since the epoch. */
import type { DeepReadonly, Job, Pod } from '../kube/types.ts';
import { isConditionTrue } from './trueconditions.ts';
import { CONTAINERS } from '../../workers/contract/environment.ts';

type PodView = DeepReadonly<Pod>;
type StatusView = NonNullable<NonNullable<PodView['status']>['containerStatuses']>[number];

/** The container that does the stage's work: the user's, or our copy worker. */
export function workContainer(pod: PodView): StatusView | undefined {
  const statuses = pod.status?.containerStatuses ?? [];
  return statuses.find((status) => status.name === CONTAINERS.main || status.name === CONTAINERS.copy);
}

export function containerStatus(pod: PodView, name: string): StatusView | undefined {
  const all = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  return all.find((status) => status.name === name);
}

/** Succeeded or Failed: nothing of it runs any more. */
export function isFinished(pod: PodView): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/** Neither over nor asked to end. */
export function isOpen(pod: PodView): boolean {
  return !isFinished(pod) && pod.metadata.deletionTimestamp === undefined;
}

/** When the scheduler found a node; undefined before. */
export function scheduledAt(pod: PodView): number | undefined {
  const condition = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  return condition?.status === 'True' ? millis(condition.lastTransitionTime) : undefined;
}

/** When the work began; undefined before. */
export function startedAt(pod: PodView): number | undefined {
  const state = workContainer(pod)?.state;
  const time = millis(state?.running?.startedAt ?? state?.terminated?.startedAt);
  // Of a container that the runtime could not start, the kubelet says that it started in 1970.
  return time === 0 ? undefined : time;
}

/** When the work ended; undefined before. */
export function endedAt(pod: PodView): number | undefined {
  return millis(workContainer(pod)?.state?.terminated?.finishedAt);
}

/** Seconds of work of one pod so far. */
function secondsOf(pod: PodView, now: number): number {
  const start = startedAt(pod);
  if (start === undefined) return 0;
  return Math.max(0, Math.round(((endedAt(pod) ?? now) - start) / 1000));
}

/** Seconds of work since the Job began or was last resumed. What came before a suspension was counted when it began. */
export function activeSecondsSince(job: DeepReadonly<Job>, pods: readonly PodView[], now: number): number {
  const since = millis(job.status?.startTime) ?? 0;
  const newer = pods.filter((pod) => (millis(pod.metadata.creationTimestamp) ?? Infinity) >= since);
  return activeSecondsOf(newer, now);
}

/** Summed over the pods that a worker had one after the other, and of the worker with the most. */
export function activeSecondsOf(pods: readonly PodView[], now: number): number {
  const workers = new Map<number, number>();
  for (const pod of pods) {
    const index = workerIndex(pod);
    workers.set(index, (workers.get(index) ?? 0) + secondsOf(pod, now));
  }
  return Math.max(0, ...workers.values());
}

const INDEX = 'batch.kubernetes.io/job-completion-index';

/** Index of the worker, from 0. */
export function workerIndex({ metadata }: PodView): number {
  return Number(metadata.annotations?.[INDEX] ?? metadata.labels?.[INDEX] ?? 0);
}

/** Taken away by the cluster (eviction, preemption, a dead node), or never let in by its node: not its own failure. */
export function isDisrupted(pod: PodView): boolean {
  const reason = pod.status?.reason ?? '';
  return isConditionTrue(pod, 'DisruptionTarget') || DISRUPTION_REASONS.has(reason) || isRejected(pod);
}

/** Reasons that kubelets and controllers give a pod which they end for the node's sake. */
const DISRUPTION_REASONS = new Set([
  'Evicted',
  'NodeLost',
  'NodeShutdown',
  'Shutdown',
  'Terminated',
  'Preempting',
]);

/** Whether the kubelet would not start the pod at all: the scheduler knew less of the node than the kubelet does. */
export function isRejected({ status }: PodView): boolean {
  const reason = status?.reason ?? '';
  return REJECTION_REASONS.has(reason) || OUT_OF_SOMETHING.test(reason);
}

const REJECTION_REASONS = new Set(['NodeAffinity', 'TopologyAffinityError', 'UnexpectedAdmissionError']);

/** The same for a lack: OutOfcpu, OutOfmemory, OutOfpods, and any extended resource. */
const OUT_OF_SOMETHING = /^OutOf/;

export function millis(time: string | null | undefined): number | undefined {
  if (time === undefined || time === null) return undefined;
  const value = Date.parse(time);
  return Number.isNaN(value) ? undefined : value;
}
