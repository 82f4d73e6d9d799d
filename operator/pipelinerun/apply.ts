/**
 * Carries out the actions of a plan. Each effect is idempotent by name: doing it again, after a crash or beside a
 * second operator, changes nothing.
 */
import { jobs } from '../kube/resource.ts';
import { confirmJobGone, createJob, growJob, patchSuspend, StageRefused } from './applyjob.ts';
import { endPod, noteDisrupted, releasePod } from './applypod.ts';
import { type ApplyDeps, deleteObject } from './effects.ts';
import { addFinalizer, removeFinalizer } from './finalize.ts';
import { endLeftovers } from './leftovers.ts';
import { reclaimEnded } from './reclaimjob.ts';
import { pipelineRuns } from './resource.ts';
import type { Action, Observed } from './types.ts';

export interface Applied {
  /** Of the run, when an action changed the run itself. */
  resourceVersion: string | undefined;
  /** Jobs that the cluster would not take; the other actions were done. */
  refusals: StageRefused[];
  /** What bears the label of the run and is not the run's, in words; it was left alone. */
  foreign: string[];
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
  const applied: Applied = { resourceVersion: undefined, refusals: [], foreign: [] };
  for (const action of actions) {
    signal.throwIfAborted();
    // Planned as if what was refused had been done.
    if ('stage' in action && applied.refusals.some(({ stage }) => stage === action.stage)) continue;
    try {
      applied.resourceVersion =
        (await applyAction(action, applied, observed, deps, signal)) ?? applied.resourceVersion;
    } catch (error) {
      if (!(error instanceof StageRefused)) throw error;
      applied.refusals.push(error);
    }
  }
  return applied;
}

async function applyAction(
  action: Action,
  applied: Applied,
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
    case 'ReclaimJob':
      await reclaimEnded(action, run, deps, signal);
      return undefined;
    case 'NoteDisrupted':
      await noteDisrupted(action, observed, deps, signal);
      return undefined;
    case 'SuspendJob':
      await patchSuspend(action, true, run, deps, signal);
      return undefined;
    case 'ResumeJob':
      await patchSuspend(action, false, run, deps, signal);
      return undefined;
    case 'GrowJob':
      await growJob(action, run, deps, signal);
      return undefined;
    case 'ReleasePod':
      await releasePod(action, observed, deps, signal);
      return undefined;
    case 'DeletePod':
      await endPod(action, run, deps, signal);
      return undefined;
    case 'DeleteJobs':
      await deleteJobs(observed, deps, signal);
      return undefined;
    case 'EndLeftovers':
      applied.foreign.push(...(await endLeftovers(run, deps, signal)));
      return undefined;
    case 'DeleteRun':
      await deleteObject(pipelineRuns, run.metadata.name, { uid: run.metadata.uid }, run, deps, signal);
      return undefined;
    default:
      return action satisfies never;
  }
}

/** Each of them once: the next pass may come before the cache has seen it. Their pods go in the background. */
async function deleteJobs(
  { run, jobs: known }: Observed,
  deps: ApplyDeps,
  signal: AbortSignal,
): Promise<void> {
  const { uid: runUID } = run.metadata;
  const before = deps.deleted.get(runUID) ?? new Set<string>();
  deps.deleted.set(runUID, before);
  for (const { name = '', uid = '', deletionTimestamp } of known.map(({ metadata }) => metadata)) {
    if (before.has(uid) || deletionTimestamp !== undefined) continue;
    await deleteObject(jobs, name, { uid }, run, deps, signal);
    before.add(uid);
  }
}
