/** Why an attempt ended without success, from what the cluster still knows of its pods. Pure. */
import { STAGE_REASONS, type StageReason } from '../api/reasons.ts';
import type { DeepReadonly, Job, Pod } from '../kube/types.ts';
import { CONTAINERS } from '../../workers/contract/environment.ts';
import { EXIT } from '../../workers/contract/exitcodes.ts';
import { parseTermination } from '../../workers/contract/termination.ts';
import { trueCondition } from './trueconditions.ts';
import { containerStatus, isDisrupted, workContainer } from './podfacts.ts';

export interface Failure {
  reason: StageReason;
  message: string;
  /** Lost to the cluster rather than failed by itself: counts against retry.disruptions. */
  disruption: boolean;
}

/** The failure of one pod; undefined when nothing says that it failed. */
export function podFailure(pod: DeepReadonly<Pod>): Failure | undefined {
  const name = pod.metadata.name ?? '';
  if (pod.status?.reason === 'DeadlineExceeded')
    return { reason: 'DeadlineExceeded', message: `pod ${name} ran past the deadline`, disruption: false };
  if (isDisrupted(pod)) return disruption(pod);
  if (ranOutOfMemory(pod)) return { reason: 'OOMKilled', message: wantsMemory(pod), disruption: false };
  const terminated = workContainer(pod)?.state?.terminated;
  const told = [CONTAINERS.fetch, CONTAINERS.copy]
    .map((container) => ownFailure(pod, container))
    .find(Boolean);
  if (told) return told;
  if (terminated && terminated.exitCode !== 0) {
    const signal = terminated.exitCode > 128 ? ` (signal ${terminated.exitCode - 128})` : '';
    return {
      reason: 'Error',
      // In the agent's words: which of the two is heard first is chance, and pods are gone when it is read.
      message: `the command ended with exit code ${terminated.exitCode}${signal}`,
      disruption: false,
    };
  }
  const agent = ownFailure(pod, CONTAINERS.agent);
  if (agent) return agent;
  if (pod.status?.phase === 'Failed')
    return {
      reason: 'Error',
      message: pod.status.message ?? `pod ${name} failed without saying why`,
      disruption: false,
    };
  return undefined;
}

/**
 * The kubelet says so, or those who saw the kernel count: the shim in the same container, whose word comes with the
 * exit code, and the agent. The kubelet alone is not enough: its runtime tells of the kill and of the exit apart, and
 * the first may come too late. An exit code of 137 says nothing: it may be anybody's SIGKILL.
 */
function ranOutOfMemory(pod: DeepReadonly<Pod>): boolean {
  const work = workContainer(pod)?.state?.terminated;
  // The kubelet uses the word for a command that lost a child and ended well, too.
  if (!work || work.exitCode === EXIT.ok) return false;
  const messages = [work.message, containerStatus(pod, CONTAINERS.agent)?.state?.terminated?.message];
  const told = messages.some((message) => parseTermination(message ?? undefined)?.reason === 'OOMKilled');
  return told || work.reason === 'OOMKilled';
}

/** Without a limit it was the node that had no memory left, and a larger request is what keeps others away. */
function wantsMemory(pod: DeepReadonly<Pod>): string {
  const work = pod.spec.containers.find(({ name }) => name === workContainer(pod)?.name);
  const limited = work?.resources?.limits?.['memory'] !== undefined;
  const what = `pod ${pod.metadata.name ?? ''} needed more memory than`;
  return limited
    ? `${what} its limit: raise resources.limits.memory`
    : `${what} its node had left: raise resources.requests.memory`;
}

/** What one of our own containers said when it ended with an error. */
function ownFailure(pod: DeepReadonly<Pod>, container: string): Failure | undefined {
  const terminated = containerStatus(pod, container)?.state?.terminated;
  if (!terminated || terminated.exitCode === EXIT.ok) return undefined;
  const told = parseTermination(terminated.message ?? undefined);
  if (told && isStageReason(told.reason))
    return { reason: told.reason, message: told.message, disruption: false };
  const message = `container ${container} of pod ${pod.metadata.name ?? ''} ended with exit code ${terminated.exitCode}`;
  return { reason: terminated.reason === 'OOMKilled' ? 'OOMKilled' : 'Error', message, disruption: false };
}

function disruption(pod: DeepReadonly<Pod>): Failure {
  const condition = trueCondition(pod, 'DisruptionTarget');
  const node = pod.spec.nodeName === undefined ? '' : ` on node ${pod.spec.nodeName}`;
  const lost = pod.status?.reason === 'NodeLost' || LOST.has(condition?.reason ?? '');
  const words = condition?.message ?? pod.status?.message ?? '';
  const what = `pod ${pod.metadata.name ?? ''}${node} ${lost ? 'was lost with its node' : 'was taken away'}`;
  return {
    reason: lost ? 'NodeLost' : 'Preempted',
    message: words === '' ? what : `${what}: ${words}`,
    disruption: true,
  };
}

/** Reasons of DisruptionTarget that mean a dead or removed node, not an eviction in order. */
const LOST = new Set(['DeletionByTaintManager', 'DeletionByPodGC', 'NodeLost']);

function isStageReason(reason: string): reason is StageReason {
  return Object.hasOwn(STAGE_REASONS, reason);
}

/**
 * The failure of a whole attempt: the worst of its pods, else what the Job controller says. A pod that was released
 * from a dead node is gone by then, and the Job cannot tell it from one that was preempted: `prior` remembers it.
 */
export function attemptFailure(
  job: DeepReadonly<Job>,
  pods: readonly DeepReadonly<Pod>[],
  prior: { readonly reason?: string | undefined; readonly message?: string | undefined },
): Failure {
  const failures = pods.map(podFailure).filter((failure) => failure !== undefined);
  // One worker's own failure explains the others' end; a disruption is the cause only when nothing failed by itself.
  const own = failures.findLast((failure) => !failure.disruption) ?? failures.at(-1);
  if (own) return own;
  const condition = trueCondition(job, 'Failed') ?? trueCondition(job, 'FailureTarget');
  const disrupted =
    condition?.reason === 'PodFailurePolicy' && condition.message.includes('DisruptionTarget');
  if (disrupted && prior.reason === 'NodeLost')
    return { reason: 'NodeLost', message: prior.message ?? '', disruption: true };
  return {
    reason: disrupted ? 'Preempted' : 'Error',
    message: condition?.message || `Job ${job.metadata.name ?? ''} failed; its pods are gone`,
    disruption: disrupted,
  };
}
