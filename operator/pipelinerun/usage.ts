/** What the attempts of a stage have used up, and what its workers are doing. Pure. */
import type { StageStatus } from '../api/status.ts';
import { startingWorkers } from '../stages/workerspec.ts';
import { type Children, podsOfAttempt } from './children.ts';
import { activeSecondsOf, activeSecondsSince, isFinished } from './podfacts.ts';
import type { StageInput } from './types.ts';

/**
 * Seconds that the pods of the stage have run, over all attempts. What they did before the stage was suspended, or before
 * its Job was seen to be gone, was counted then.
 */
export function activeSeconds({ stage, prior, observed, now }: StageInput, { job, pods }: Children): number {
  const before = prior.activeSeconds ?? 0;
  if (prior.reason === 'Suspended' || prior.reason === 'JobDeleted') return before;
  if (job) return before + activeSecondsSince(job, pods, now.getTime());
  // Nothing is known of pods that went with their Job while no operator was there.
  const left = podsOfAttempt(stage, prior.attempt, observed);
  return before + activeSecondsOf(left, now.getTime());
}

export function workersStatus(
  { stage }: StageInput,
  { job, pods }: Children,
): NonNullable<StageStatus['workers']> {
  return {
    wanted: job?.spec.completions ?? startingWorkers(stage),
    active: pods.filter((pod) => !isFinished(pod)).length,
    succeeded: job?.status?.succeeded ?? 0,
    failed: job?.status?.failed ?? 0,
  };
}
