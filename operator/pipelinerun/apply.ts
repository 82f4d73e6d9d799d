/**
 * Carries out the actions of a plan. Each effect is idempotent by name: doing it again, after a crash or beside a
 * second operator, changes nothing.
 */
import { LABEL } from '../api/names.ts';
import type { PipelineRun } from '../api/types.ts';
import { jobs, pods } from '../kube/resource.ts';
import type { KubeObject } from '../kube/types.ts';
import { confirmJobGone, createJob, patchSuspend, StageRefused } from './applyjob.ts';
import { releasePod } from './applypod.ts';
import { type ApplyDeps, deleteObject, StillThere } from './effects.ts';
import { addFinalizer, removeFinalizer } from './finalize.ts';
import { pipelineRuns } from './resource.ts';
import type { Action, Observed } from './types.ts';

export interface Applied {
  /** Of the run, when an action changed the run itself. */
  resourceVersion: string | undefined;
  /** Jobs that the cluster would not take; the other actions were done. */
  refusals: StageRefused[];
}

/**
 * Does the actions in order. A refused Job is no reason to hold back what other stages need.
 * @throws StillThere, or the client's errors; what was done before stays done.
 */
export async function applyActions(
  actions: readonly Action[],
  observed: Observed,
  deps: ApplyDeps,
  signal: AbortSignal,
): Promise<Applied> {
  const applied: Applied = { resourceVersion: undefined, refusals: [] };
  for (const action of actions) {
    signal.throwIfAborted();
    try {
      applied.resourceVersion =
        (await applyAction(action, observed, deps, signal)) ?? applied.resourceVersion;
    } catch (error) {
      if (!(error instanceof StageRefused)) throw error;
      applied.refusals.push(error);
    }
  }
  return applied;
}

async function applyAction(
  action: Action,
  observed: Observed,
  deps: ApplyDeps,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { run } = observed;
  switch (action.type) {
    case 'AddFinalizer':
      return await addFinalizer(run, deps, signal);
    case 'RemoveFinalizer':
      await removeFinalizer(run, deps, signal);
      return undefined;
    case 'CreateJob':
      await createJob(action, run, deps, signal);
      return undefined;
    case 'ConfirmJobGone':
      await confirmJobGone(action, run, deps, signal);
      return undefined;
    case 'SuspendJob':
      await patchSuspend(action, true, run, deps, signal);
      return undefined;
    case 'ResumeJob':
      await patchSuspend(action, false, run, deps, signal);
      return undefined;
    case 'ReleasePod':
      await releasePod(action, observed, deps, signal);
      return undefined;
    case 'DeletePod':
      await deleteObject(
        pods,
        action.pod,
        { gracePeriodSeconds: action.graceSeconds, uid: action.uid },
        run,
        deps,
        signal,
      );
      return undefined;
    case 'DeleteJobs':
      for (const job of observed.jobs)
        await deleteObject(jobs, job.metadata.name ?? '', { uid: job.metadata.uid ?? '' }, run, deps, signal);
      return undefined;
    case 'ConfirmNothingLeft':
      await confirmNothingLeft(run, deps, signal);
      return undefined;
    case 'DeleteRun':
      await deleteObject(pipelineRuns, run.metadata.name, { uid: run.metadata.uid }, run, deps, signal);
      return undefined;
    default:
      return action satisfies never;
  }
}

async function confirmNothingLeft(
  run: PipelineRun,
  { client }: ApplyDeps,
  signal: AbortSignal,
): Promise<void> {
  const labelSelector = `${LABEL.runUID}=${run.metadata.uid}`;
  for (const resource of [jobs, pods]) {
    const { items } = await client.list<KubeObject>(resource, run.metadata.namespace, {
      labelSelector,
      signal,
    });
    if (items.length > 0) throw new StillThere(`${items.length} ${resource.plural} of the run still exist`);
  }
}
