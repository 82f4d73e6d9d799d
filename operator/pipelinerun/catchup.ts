/** What a stage has done that its status does not say: the operator ended between the Job and the status write. Pure. */
import { isTerminal, type StageStatus } from '../api/status.ts';
import { formatTime } from '../kube/conditions.ts';
import type { DeepReadonly, Job, Pod } from '../kube/types.ts';
import { type Children, podsOf } from './children.ts';
import { attemptFailure } from './failure.ts';
import { attemptOf } from './ours.ts';
import { activeSecondsSince } from './podfacts.ts';
import { withoutRefusal } from './refusal.ts';
import type { Observed } from './types.ts';

/** Accounts for attempts that were started right before a crash: their Jobs are there, the status was never written. */
export function catchUp(
  prior: StageStatus,
  { jobs, job }: Children,
  { pods }: Observed,
  now: Date,
): StageStatus {
  if (!job || isTerminal(prior.state)) return prior;
  const attempt = attemptOf(job);
  const known: StageStatus = {
    // The Job of an attempt before says nothing about the one that is refused.
    ...(attempt < (prior.attempt ?? 0) ? prior : withoutRefusal(prior)),
    logs: 'PodsLog',
    startTime: prior.startTime ?? job.metadata.creationTimestamp ?? formatTime(now),
  };
  const first = prior.attempt ?? Math.min(...jobs.map(attemptOf));
  if (!(attempt > first)) return { ...known, attempt: first };
  const { admitted: _released, ...rest } = known;
  const over = jobs.filter((candidate) => attemptOf(candidate) >= first && attemptOf(candidate) < attempt);
  const counted = over.reduce<StageStatus>((so, one) => account(so, one, podsOf(one, pods), now), rest);
  // An attempt that has a successor and no Job: somebody deleted it.
  const deleted = attempt - first - over.length;
  return { ...counted, attempt, disruptions: (counted.disruptions ?? 0) + deleted };
}

/** One attempt that is over and has a successor. */
function account(
  stage: StageStatus,
  job: DeepReadonly<Job>,
  pods: readonly DeepReadonly<Pod>[],
  now: Date,
): StageStatus {
  const { disruption } = attemptFailure(job, pods, stage);
  return {
    ...stage,
    failures: (stage.failures ?? 0) + (disruption ? 0 : 1),
    disruptions: (stage.disruptions ?? 0) + (disruption ? 1 : 0),
    activeSeconds: (stage.activeSeconds ?? 0) + activeSecondsSince(job, pods, now.getTime()),
  };
}

/** Without a Job while that of the attempt is not there: the cluster refused it, and is asked again. */
export function ofAttempt(children: Children, attempt: number | undefined): Children {
  const { job } = children;
  return job && attemptOf(job) < (attempt ?? 0) ? { ...children, job: undefined, pods: [] } : children;
}
