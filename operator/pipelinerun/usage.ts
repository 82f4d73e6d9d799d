/** What the attempts of a stage have used up, and what its workers are doing. Pure. */
import type { StageStatus } from '../api/status.ts';
import { startingWorkers } from '../stages/workerspec.ts';
import type { Children } from './children.ts';
import { activeSecondsSince, isFinished } from './podfacts.ts';
import type { StageInput } from './types.ts';

/** Seconds that the pods of the stage have run, over all attempts. While a stage is suspended, what its pods did is counted already. */
export function activeSeconds({ prior, now }: StageInput, { job, pods }: Children): number {
  const before = prior.activeSeconds ?? 0;
  return job && prior.reason !== 'Suspended' ? before + activeSecondsSince(job, pods, now.getTime()) : before;
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
