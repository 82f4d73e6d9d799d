/** A copy starts with one worker, which makes the plan; then it gets as many as the plan has shards for. Pure. */
import type { Stage } from '../api/pipelinerun.ts';
import type { DeepReadonly, Job } from '../kube/types.ts';
import { mostWorkers } from '../stages/workerspec.ts';
import type { Action, Observed } from './types.ts';

/** Whether the workers of the stage may become more once it is planned. */
export function mayGrow(stage: Stage): boolean {
  return stage.copy !== undefined && stage.copy.dryRun !== true && mostWorkers(stage) > 1;
}

/** Workers that the stage is to have, as far as its plan is known. */
export function workersPlanned(stage: Stage, plans: Observed['plans']): number {
  return mayGrow(stage) ? Math.min(plans.get(stage.name) ?? 1, mostWorkers(stage)) : 1;
}

/** Up only: what a worker has begun is never taken from it. */
export function growJob(stage: Stage, job: DeepReadonly<Job>, plans: Observed['plans']): Action[] {
  const workers = workersPlanned(stage, plans);
  if (workers <= (job.spec.completions ?? 1)) return [];
  return [{ type: 'GrowJob', job: job.metadata.name ?? '', uid: job.metadata.uid ?? '', workers }];
}
