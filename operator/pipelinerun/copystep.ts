/** A copy whose Job is open: while one of its workers copies, nobody waits for those that have no node yet. Pure. */
import type { StageLimits } from '../api/defaults.ts';
import type { DeepReadonly, Job, Pod } from '../kube/types.ts';
import { isConditionTrue } from './trueconditions.ts';
import { endedAt, isOpen, scheduledAt, startedAt } from './podfacts.ts';
import { count } from './text.ts';
import type { Waiting } from './types.ts';
import { hasFailed, provisioning, running, workStep, type WorkStep } from './workstep.ts';

/** Seconds until the store is asked again. */
const LOOK_SECONDS = 10;

export function copyStep(
  job: DeepReadonly<Job>,
  pods: readonly DeepReadonly<Pod>[],
  limits: StageLimits,
  activeSecondsBefore: number,
  waiting: Waiting | undefined,
  now: number,
): WorkStep {
  if (isConditionTrue(job, 'Complete')) {
    const message = 'every worker has ended; what they did is read in the results store';
    return { state: 'Finalizing', reason: 'UploadingOutputs', message, lookAt: now + LOOK_SECONDS * 1000 };
  }
  const open = pods.filter(isOpen);
  const atWork = open.filter((pod) => startedAt(pod) !== undefined && endedAt(pod) === undefined);
  if (atWork.length === 0) {
    // Its Job replaces a worker that has failed, or fails itself, once the kubelet has ended all of the pod.
    const failing = new Set(open.filter(hasFailed));
    const unscheduled = open.find((pod) => scheduledAt(pod) === undefined);
    // Who waits for a node has waited behind those that have failed: their ends count.
    if (failing.size > 0 && (unscheduled || failing.size === open.length))
      return provisioning(job, pods, unscheduled, limits, waiting, now);
    const others = pods.filter((pod) => !failing.has(pod));
    return workStep(job, others, limits, activeSecondsBefore, waiting, now);
  }
  const step = running(job, pods, limits, activeSecondsBefore, now);
  const idle = open.length - atWork.length;
  if (step.failed || idle === 0) return step;
  const why = waiting === undefined ? '' : `: ${waiting.message}`;
  return { ...step, message: `${count(idle, 'worker')} not started yet${why}` };
}
