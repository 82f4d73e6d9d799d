/** The finalizer of a run: taken before its first effect, given back when nothing of it is left. */
import { FINALIZER } from '../api/names.ts';
import type { PipelineRun } from '../api/types.ts';
import { isNotFound } from '../kube/errors.ts';
import type { ApplyDeps } from './effects.ts';
import { pipelineRuns } from './resource.ts';

/** On the very version that was planned from: the status that is written next builds on what this returns. */
export async function addFinalizer(run: PipelineRun, deps: ApplyDeps, signal: AbortSignal): Promise<string> {
  const { resourceVersion, finalizers = [] } = run.metadata;
  return await patchFinalizers(run, resourceVersion, [...finalizers, FINALIZER], deps, signal);
}

/** The status write of this very pass has moved the version: the newest one is asked for, with what others added. */
export async function removeFinalizer(run: PipelineRun, deps: ApplyDeps, signal: AbortSignal): Promise<void> {
  const { namespace, name, uid } = run.metadata;
  try {
    const { metadata } = await deps.client.get(pipelineRuns, namespace, name, { signal });
    const finalizers = metadata.finalizers ?? [];
    if (metadata.uid !== uid || !finalizers.includes(FINALIZER)) return;
    const others = finalizers.filter((finalizer) => finalizer !== FINALIZER);
    await patchFinalizers(run, metadata.resourceVersion, others, deps, signal);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** A merge patch replaces the whole list, so it must not land on a newer object than was read. */
async function patchFinalizers(
  run: PipelineRun,
  resourceVersion: string,
  finalizers: readonly string[],
  { client, wrote }: ApplyDeps,
  signal: AbortSignal,
): Promise<string> {
  const { namespace, name, uid } = run.metadata;
  const patch = { metadata: { uid, resourceVersion, finalizers } };
  const written = await client.mergePatch(pipelineRuns, namespace, name, patch, { signal });
  wrote(pipelineRuns, written.metadata.resourceVersion);
  return written.metadata.resourceVersion;
}
