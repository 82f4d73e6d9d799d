/** The Job of a stage: created, grown, suspended, resumed, and known to be gone. */
import { jobName } from '../api/names.ts';
import type { PipelineRun } from '../api/types.ts';
import { isAlreadyExists, isInvalid, isNotFound, KubeError } from '../kube/errors.ts';
import { jobs } from '../kube/resource.ts';
import type { Job, JobSpec } from '../kube/types.ts';
import { type ApplyDeps, StillThere } from './effects.ts';
import { buildJob } from './job.ts';
import { lossesOf, placeOf } from './ours.ts';
import type { Action } from './types.ts';

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

/**
 * One of the same attempt that is there already is the one.
 * @throws StageRefused when the cluster will not take the Job; StillThere when that one is being deleted.
 */
export async function createJob(
  { stage: name, attempt, activeSeconds, disruptions = 0 }: Extract<Action, { type: 'CreateJob' }>,
  run: PipelineRun,
  { client, pods: settings, wrote }: ApplyDeps,
  signal: AbortSignal,
): Promise<void> {
  const stage = run.spec.stages.find((candidate) => candidate.name === name);
  if (!stage) throw new TypeError(`the plan names stage ${name}, which the run does not have`);
  const job = buildJob({ run, stage, attempt, activeSeconds, disruptions }, settings);
  const theName = job.metadata.name ?? '';
  try {
    const created = await client.create(jobs, run.metadata.namespace, job, { signal });
    wrote(jobs, created.metadata.resourceVersion);
  } catch (error) {
    if (isAlreadyExists(error)) {
      const existing = await client.get(jobs, run.metadata.namespace, theName, { signal });
      if (!placeOf(existing, run))
        throw new StageRefused(
          name,
          'JobNameConflict',
          `Job ${theName} exists and belongs to something else: delete or rename it`,
        );
      if (existing.metadata.deletionTimestamp !== undefined)
        throw new StillThere(`Job ${theName} is being deleted`);
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
 * A cache that has no such Job may be older than the Job, or the Job has lost its labels.
 * @throws StillThere when the Job exists and nobody has deleted it.
 */
export async function confirmJobGone(
  { stage, attempt }: Extract<Action, { type: 'ConfirmJobGone' }>,
  run: PipelineRun,
  deps: ApplyDeps,
  signal: AbortSignal,
): Promise<void> {
  const name = jobName(run.metadata, stage, attempt);
  const found = await lookForJob(name, run, deps, signal);
  if (found && found.metadata.deletionTimestamp === undefined)
    throw new StillThere(`Job ${name} still exists`);
}

/** One that this process has deleted is not looked for: its pods follow it. */
export async function findJob(
  { job, uid }: Extract<Action, { type: 'FindJob' }>,
  run: PipelineRun,
  deps: ApplyDeps,
  signal: AbortSignal,
): Promise<void> {
  if (deps.deleted.get(run.metadata.uid)?.has(uid) !== true) await lookForJob(job, run, deps, signal);
}

/**
 * The Job of that name, if it is the run's. One that somebody took our labels or its owner from gets them back: without
 * them no cache would ever have it again as one of the run.
 */
export async function lookForJob(
  name: string,
  run: PipelineRun,
  { client, wrote }: ApplyDeps,
  signal: AbortSignal,
): Promise<Job | undefined> {
  const { namespace } = run.metadata;
  try {
    const found = await client.get(jobs, namespace, name, { signal });
    const losses = lossesOf(found, run);
    if (!losses || Object.keys(losses).length === 0) return losses && found;
    // A merge patch replaces the whole list of owners, so it must not land on a newer object than was read.
    const { uid, resourceVersion } = found.metadata;
    const patch = { metadata: { uid, resourceVersion, ...losses } };
    const written = await client.mergePatch(jobs, namespace, name, patch, { signal });
    wrote(jobs, written.metadata.resourceVersion);
    return written;
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return undefined;
  }
}

/**
 * Answers that quotas, policies and webhooks give, and the API server for a webhook that does not answer. All may pass;
 * a stage waits for that no longer than for a node.
 */
const REFUSED: ReadonlySet<number> = new Set([400, 403, 500]);

/** Suspending ends the pods of a Job with grace. A Job that is gone needs neither. */
export async function patchSuspend(
  job: JobRef,
  suspend: boolean,
  run: PipelineRun,
  deps: ApplyDeps,
  signal: AbortSignal,
): Promise<void> {
  await patchSpec(job, { suspend }, run, deps, signal);
}

/** Both numbers in one patch: an Indexed Job takes another number of completions only together with its parallelism. */
export async function growJob(
  { workers, ...job }: JobRef & { workers: number },
  run: PipelineRun,
  deps: ApplyDeps,
  signal: AbortSignal,
): Promise<void> {
  await patchSpec(job, { completions: workers, parallelism: workers }, run, deps, signal);
}

interface JobRef {
  job: string;
  uid: string;
}

async function patchSpec(
  { job, uid }: JobRef,
  spec: Partial<JobSpec>,
  run: PipelineRun,
  { client, wrote }: ApplyDeps,
  signal: AbortSignal,
): Promise<void> {
  try {
    const patch = { metadata: { uid }, spec };
    const written = await client.mergePatch(jobs, run.metadata.namespace, job, patch, { signal });
    wrote(jobs, written.metadata.resourceVersion);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
