/** Pods lost to the cluster: noted on their Job; on a dead node, marked as lost and deleted without its kubelet. */
import { ANNOTATION } from '../api/names.ts';
import type { PipelineRun } from '../api/types.ts';
import { formatTime } from '../kube/conditions.ts';
import { isNotFound } from '../kube/errors.ts';
import { jobs, pods } from '../kube/resource.ts';
import { type ApplyDeps, deleteObject } from './effects.ts';
import type { Action, Observed } from './types.ts';

/**
 * A kubelet that is dead never ends its pods. The garbage collector of pods would do this once the Node object is gone;
 * a run does not wait that long. The Job controller then counts the pod as disrupted.
 */
export async function releasePod(
  { pod: name, uid, node }: Extract<Action, { type: 'ReleasePod' }>,
  observed: Observed,
  deps: ApplyDeps,
  signal: AbortSignal,
): Promise<void> {
  deps.fence(uid);
  const { namespace } = observed.run.metadata;
  const pod = observed.pods.find((candidate) => candidate.metadata.uid === uid);
  const message = `node ${node} does not answer`;
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'NodeLost',
    message,
    lastTransitionTime: formatTime(deps.now()),
  };
  const conditions = [
    ...(pod?.status?.conditions ?? []).filter(({ type }) => type !== condition.type),
    condition,
  ];
  // Conditions are replaced as a whole: another that came since this pass has read them would be lost.
  const resourceVersion = pod?.metadata.resourceVersion;
  const metadata = { uid, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
  const patch = { metadata, status: { phase: 'Failed', reason: 'NodeLost', message, conditions } };
  try {
    await deps.client.mergePatch(pods, namespace, name, patch, { subresource: 'status', signal });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  await deleteObject(pods, name, { gracePeriodSeconds: 0, uid }, observed.run, deps, signal);
}

/** With its own grace or less; its kubelet does the rest. */
export async function endPod(
  { pod, uid, graceSeconds }: Extract<Action, { type: 'DeletePod' }>,
  run: PipelineRun,
  deps: ApplyDeps,
  signal: AbortSignal,
): Promise<void> {
  await deleteObject(pods, pod, { gracePeriodSeconds: graceSeconds, uid }, run, deps, signal);
}

/** A Job that is gone has nothing to note. */
export async function noteDisrupted(
  { job, uid, pods: lost }: Extract<Action, { type: 'NoteDisrupted' }>,
  { run }: Observed,
  { client, wrote }: ApplyDeps,
  signal: AbortSignal,
): Promise<void> {
  const patch = { metadata: { uid, annotations: { [ANNOTATION.disrupted]: lost.join(' ') } } };
  try {
    const written = await client.mergePatch(jobs, run.metadata.namespace, job, patch, { signal });
    wrote(jobs, written.metadata.resourceVersion);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
