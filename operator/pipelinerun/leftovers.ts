/** What is left of a run in the cluster when no cache has anything: asked of the API server itself, and ended. */
import { LABEL } from '../api/names.ts';
import type { PipelineRun } from '../api/types.ts';
import { controllerOf } from '../kube/owners.ts';
import { isNotFound } from '../kube/errors.ts';
import { jobs, pods } from '../kube/resource.ts';
import type { Job, KubeObject } from '../kube/types.ts';
import { endPods } from './actions.ts';
import { endPod } from './applypod.ts';
import { type ApplyDeps, deleteObject, StillThere } from './effects.ts';
import { jobNamesOf, lossesOf, placeOf } from './ours.ts';

/**
 * Jobs are asked for by name, so that one without its labels is found. What has the label of the run and is not of it
 * stays as it is.
 * @returns what is not of the run, in words. @throws StillThere
 */
export async function endLeftovers(
  run: PipelineRun,
  deps: ApplyDeps,
  signal: AbortSignal,
): Promise<string[]> {
  const { namespace, uid } = run.metadata;
  const labelSelector = `${LABEL.runUID}=${uid}`;
  const left = {
    jobs: (await deps.client.list(jobs, namespace, { labelSelector, signal })).items,
    pods: (await deps.client.list(pods, namespace, { labelSelector, signal })).items,
  };
  const own = [...(await jobsByName(run, deps, signal)), ...left.jobs.filter((job) => placeOf(job, run))];
  const found = new Map(own.map(({ metadata }) => [metadata.name ?? '', metadata]));
  for (const [name, { uid: jobUID = '', deletionTimestamp }] of found)
    if (deletionTimestamp === undefined) await deleteObject(jobs, name, { uid: jobUID }, run, deps, signal);
  const ours = left.pods.filter((pod) => placeOf(pod, run));
  // A pod without Job may have lost the label by which it is watched as well: nobody else would ever end it.
  for (const action of endPods(ours.filter((pod) => controllerOf(pod) === undefined)))
    await endPod(action, run, deps, signal);
  const open = found.size + ours.length;
  if (open > 0) throw new StillThere(`${open} Jobs and pods of the run still exist`);
  const say = (kind: string, objects: readonly KubeObject[]): string[] =>
    objects.map(({ metadata }) => `${kind} ${metadata.name ?? ''}`);
  return [...say('Job', left.jobs), ...say('Pod', left.pods)];
}

/** Those that are there of all attempts, with their labels or without. */
async function jobsByName(run: PipelineRun, { client }: ApplyDeps, signal: AbortSignal): Promise<Job[]> {
  const found: Job[] = [];
  for (const name of jobNamesOf(run)) {
    const job = await client.get(jobs, run.metadata.namespace, name, { signal }).catch(unlessNotFound);
    if (job && (placeOf(job, run) || lossesOf(job, run))) found.push(job);
  }
  return found;
}

function unlessNotFound(error: unknown): undefined {
  if (!isNotFound(error)) throw error;
}
