/**
 * Jobs that somebody took our labels or their owner from. They get them back: without them no cache would ever have
 * such a Job again as one of its run.
 */
import type { PipelineRun } from '../api/types.ts';
import { isNotFound } from '../kube/errors.ts';
import { jobs } from '../kube/resource.ts';
import type { Job } from '../kube/types.ts';
import { type ApplyDeps, deleteObject } from './effects.ts';
import { isWhole, lossesOf } from './ours.ts';
import type { Action } from './types.ts';

/**
 * The Job as it is with what it had lost; undefined for one that is not the run's. One that is being deleted needs
 * nothing back. Something in the cluster may take it away again at once: see {@link isWhole}.
 */
export async function reclaim(
  found: Job,
  run: PipelineRun,
  { client, wrote }: ApplyDeps,
  signal: AbortSignal,
): Promise<Job | undefined> {
  const losses = lossesOf(found, run);
  if (!losses) return undefined;
  const { name = '', uid, resourceVersion, deletionTimestamp } = found.metadata;
  if (deletionTimestamp !== undefined || Object.keys(losses).length === 0) return found;
  // A merge patch replaces the whole list of owners, so it must not land on a newer object than was read.
  const patch = { metadata: { uid, resourceVersion, ...losses } };
  const written = await client.mergePatch(jobs, run.metadata.namespace, name, patch, { signal });
  // One that no watch shows is not waited for.
  if (isWhole(written, run)) wrote(jobs, written.metadata.resourceVersion);
  return written;
}

/** The same by name; undefined also for one that is not there. */
export async function reclaimJob(
  name: string,
  run: PipelineRun,
  deps: ApplyDeps,
  signal: AbortSignal,
): Promise<Job | undefined> {
  try {
    const found = await deps.client.get(jobs, run.metadata.namespace, name, { signal });
    return await reclaim(found, run, deps, signal);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return undefined;
  }
}

/**
 * The Job of pods of a run that is over, which no cache has. One that this process has deleted is not looked for: its
 * pods follow it. One that cannot be watched goes at once: nothing else would ever end its pods.
 */
export async function reclaimEnded(
  { job, uid }: Extract<Action, { type: 'ReclaimJob' }>,
  run: PipelineRun,
  deps: ApplyDeps,
  signal: AbortSignal,
): Promise<void> {
  if (deps.deleted.get(run.metadata.uid)?.has(uid) === true) return;
  const found = await reclaimJob(job, run, deps, signal);
  if (!found || found.metadata.deletionTimestamp !== undefined || isWhole(found, run)) return;
  await deleteObject(jobs, job, { uid: found.metadata.uid ?? '' }, run, deps, signal);
}
