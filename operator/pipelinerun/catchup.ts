/** What a stage has done that its status does not say: the operator ended between the Job and the status write. Pure. */
import { isTerminal, type StageStatus } from '../api/status.ts';
import { formatTime } from '../kube/conditions.ts';
import { attemptOf, type Children, podsOf } from './children.ts';
import { attemptFailure } from './failure.ts';
import { activeSecondsSince } from './podfacts.ts';
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
export function ofAttempt(children: Children, attempt: number | undefined): Children {
  const { job } = children;
  return job && attemptOf(job) < (attempt ?? 0) ? { ...children, job: undefined, pods: [] } : children;
}
