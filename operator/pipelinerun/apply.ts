/**
 * The only place with effects on the cluster. Each is idempotent by name: doing it again, after a crash or beside a
 * second operator, changes nothing.
 */
import { FINALIZER, LABEL } from '../api/names.ts';
import type { PipelineRun } from '../api/types.ts';
import type { KubeClient } from '../kube/client.ts';
import { formatTime } from '../kube/conditions.ts';
import { isAlreadyExists, isInvalid, isNotFound, KubeError } from '../kube/errors.ts';
import { jobs, pods, type Resource } from '../kube/resource.ts';
import type { KubeObject } from '../kube/types.ts';
import type { PodSettings } from '../stages/settings.ts';
import { buildJob } from './job.ts';
import { pipelineRuns } from './resource.ts';
import type { Action, Observed } from './types.ts';

export interface ApplyDeps {
  client: KubeClient;
  pods: PodSettings;
  now: () => Date;
  /** Called after each write, so that the next reconcile waits until the caches have seen it. */
  wrote: (resource: Resource, resourceVersion: string | undefined) => void;
  /** The pod gets nothing from the worker API any more. */
  fence: (podUID: string) => void;
}

/** The cluster will not take the Job of a stage as it is. */
export class StageRefused extends Error {
  override readonly name = 'StageRefused';
  readonly code = 'STAGE_REFUSED';
  readonly stage: string;
  readonly reason: 'JobNameConflict' | 'InvalidSpec' | 'PodCreationRefused';

  constructor(stage: string, reason: StageRefused['reason'], message: string) {
    super(message);
    this.stage = stage;
    this.reason = reason;
  }
}

/** Something of the run still exists; the reconcile is to come back. */
export class StillThere extends Error {
  override readonly name = 'StillThere';
  readonly code = 'STILL_THERE';
}

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
      await remove(
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
        await remove(jobs, job.metadata.name ?? '', { uid: job.metadata.uid ?? '' }, run, deps, signal);
      return undefined;
    case 'ConfirmNothingLeft':
      await confirmNothingLeft(run, deps, signal);
      return undefined;
    case 'DeleteRun':
      await remove(pipelineRuns, run.metadata.name, { uid: run.metadata.uid }, run, deps, signal);
      return undefined;
    default:
      return action satisfies never;
  }
}

/** On the very version that was planned from: the status that is written next builds on what this returns. */
async function addFinalizer(run: PipelineRun, deps: ApplyDeps, signal: AbortSignal): Promise<string> {
  const { resourceVersion, finalizers = [] } = run.metadata;
  return await patchFinalizers(run, resourceVersion, [...finalizers, FINALIZER], deps, signal);
}

/** The status write of this very pass has moved the version: the newest one is asked for, with what others added. */
async function removeFinalizer(run: PipelineRun, deps: ApplyDeps, signal: AbortSignal): Promise<void> {
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

async function createJob(
  { stage: name, attempt, activeSeconds }: Extract<Action, { type: 'CreateJob' }>,
  run: PipelineRun,
  { client, pods: settings, wrote }: ApplyDeps,
  signal: AbortSignal,
): Promise<void> {
  const stage = run.spec.stages.find((candidate) => candidate.name === name);
  if (!stage) throw new TypeError(`the plan names stage ${name}, which the run does not have`);
  const job = buildJob({ run, stage, attempt, activeSeconds }, settings);
  const jobName = job.metadata.name ?? '';
  try {
    const created = await client.create(jobs, run.metadata.namespace, job, { signal });
    wrote(jobs, created.metadata.resourceVersion);
  } catch (error) {
    if (isAlreadyExists(error)) {
      const existing = await client.get(jobs, run.metadata.namespace, jobName, { signal });
      const ours = existing.metadata.ownerReferences?.some(
        (owner) => owner.controller === true && owner.uid === run.metadata.uid,
      );
      if (ours !== true)
        throw new StageRefused(
          name,
          'JobNameConflict',
          `Job ${jobName} exists and belongs to something else: delete or rename it`,
        );
      wrote(jobs, existing.metadata.resourceVersion);
      return;
    }
    if (isInvalid(error) && error instanceof KubeError)
      throw new StageRefused(name, 'InvalidSpec', error.message);
    if (error instanceof KubeError && REFUSED.has(error.status))
      throw new StageRefused(name, 'PodCreationRefused', error.message);
    throw error;
  }
}

/**
 * Answers that quotas, policies and webhooks give, and the API server for a webhook that does not answer. All may pass;
 * a stage waits for that no longer than for a node.
 */
const REFUSED: ReadonlySet<number> = new Set([400, 403, 500]);

async function patchSuspend(
  { job, uid }: { job: string; uid: string },
  suspend: boolean,
  run: PipelineRun,
  { client, wrote }: ApplyDeps,
  signal: AbortSignal,
): Promise<void> {
  try {
    const written = await client.mergePatch(
      jobs,
      run.metadata.namespace,
      job,
      { metadata: { uid }, spec: { suspend } },
      { signal },
    );
    wrote(jobs, written.metadata.resourceVersion);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/**
 * A kubelet that is dead never ends its pods. The garbage collector of pods would do this once the Node object is gone;
 * a run does not wait that long. The Job controller then counts the pod as disrupted.
 */
async function releasePod(
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
  const patch = { metadata: { uid }, status: { phase: 'Failed', reason: 'NodeLost', message, conditions } };
  try {
    await deps.client.mergePatch(pods, namespace, name, patch, { subresource: 'status', signal });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  await remove(pods, name, { gracePeriodSeconds: 0, uid }, observed.run, deps, signal);
}

async function remove<T extends KubeObject>(
  resource: Resource<T>,
  name: string,
  { uid, gracePeriodSeconds }: { uid: string; gracePeriodSeconds?: number },
  run: PipelineRun,
  { client }: ApplyDeps,
  signal: AbortSignal,
): Promise<void> {
  const grace = gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds };
  const options = { propagationPolicy: 'Background' as const, preconditions: { uid }, ...grace, signal };
  try {
    await client.delete(resource, run.metadata.namespace, name, options);
  } catch (error) {
    if (!isNotFound(error)) throw error;
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
