/**
 * Carries out the actions of a plan. Each effect is idempotent by name: doing it again, after a crash or beside a
 * second operator, changes nothing.
 */
import { LABEL } from '../api/names.ts';
import type { PipelineRun } from '../api/types.ts';
import { jobs, pods } from '../kube/resource.ts';
import type { KubeObject } from '../kube/types.ts';
import { confirmJobGone, createJob, growJob, patchSuspend, StageRefused } from './applyjob.ts';
import { noteDisrupted, releasePod } from './applypod.ts';
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
      await deleteJobs(observed, deps, signal);
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

/** All of them with one request, and once: the next pass may come before the cache has seen it. Their pods go in the background. */
async function deleteJobs(
  { run, jobs: known }: Observed,
  { client, deleted }: ApplyDeps,
  signal: AbortSignal,
): Promise<void> {
  const { uid, namespace } = run.metadata;
  const uids = known.map((job) => job.metadata.uid ?? '');
  const before = deleted.get(uid);
  if (before && uids.every((job) => before.has(job))) return;
  await client.deleteCollection(jobs, namespace, {
    labelSelector: childrenSelector(run),
    propagationPolicy: 'Background',
    signal,
  });
  deleted.set(uid, new Set(uids));
}

const childrenSelector = (run: PipelineRun): string => `${LABEL.runUID}=${run.metadata.uid}`;

async function confirmNothingLeft(
  run: PipelineRun,
  { client }: ApplyDeps,
  signal: AbortSignal,
): Promise<void> {
  const labelSelector = childrenSelector(run);
  for (const resource of [jobs, pods]) {
    const { items } = await client.list<KubeObject>(resource, run.metadata.namespace, {
      labelSelector,
      signal,
    });
    if (items.length > 0) throw new StillThere(`${items.length} ${resource.plural} of the run still exist`);
  }
}
