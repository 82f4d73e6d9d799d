/** The Job of a stage: created, grown, suspended, resumed, and known to be gone. */
import { jobName } from '../api/names.ts';
import type { PipelineRun } from '../api/types.ts';
import { isAlreadyExists, isInvalid, isNotFound, KubeError } from '../kube/errors.ts';
import { jobs } from '../kube/resource.ts';
import type { Job, JobSpec } from '../kube/types.ts';
import { type ApplyDeps, deleteObject, StillThere } from './effects.ts';
import { buildJob } from './job.ts';
import { isWhole } from './ours.ts';
import { reclaim, reclaimJob } from './reclaimjob.ts';
import type { Action } from './types.ts';

/** The cluster will not take the Job of a stage as it is. */
export class StageRefused extends Error {
  override readonly name = 'StageRefused';
  readonly code = 'STAGE_REFUSED';
  readonly stage: string;
  readonly reason: 'JobNameConflict' | 'InvalidSpec' | 'PodCreationRefused';
  /** The cluster may take it later: quotas are freed and webhooks come back. */
  readonly mayPass: boolean;

  constructor(stage: string, reason: StageRefused['reason'], message: string, mayPass = false) {
    super(message);
    this.stage = stage;
    this.reason = reason;
    this.mayPass = mayPass;
  }
}

/**
 * One of the same attempt that is there already is the one, and gets back what it has lost.
 * @throws StageRefused when the cluster will not take the Job; StillThere when that one is being deleted.
 */
export async function createJob(
  { stage: name, attempt, activeSeconds, disruptions = 0 }: Extract<Action, { type: 'CreateJob' }>,
  run: PipelineRun,
  deps: ApplyDeps,
  signal: AbortSignal,
): Promise<void> {
  const { client, pods: settings } = deps;
  const stage = run.spec.stages.find((candidate) => candidate.name === name);
  if (!stage) throw new TypeError(`the plan names stage ${name}, which the run does not have`);
  const job = buildJob({ run, stage, attempt, activeSeconds, disruptions }, settings);
  const theName = job.metadata.name ?? '';
  let made: Job | undefined;
  try {
    made = await client.create(jobs, run.metadata.namespace, job, { signal });
  } catch (error) {
    if (!isAlreadyExists(error)) throw refusalOf(error, name);
    made = await reclaim(
      await client.get(jobs, run.metadata.namespace, theName, { signal }),
      run,
      deps,
      signal,
    );
    if (!made) {
      const message = `Job ${theName} exists and belongs to something else: delete or rename it`;
      throw new StageRefused(name, 'JobNameConflict', message);
    }
    if (made.metadata.deletionTimestamp !== undefined)
      throw new StillThere(`Job ${theName} is being deleted`);
  }
  await refuseChanged(made, name, run, deps, signal);
  deps.wrote(jobs, made.metadata.resourceVersion);
}

/** What the error says against the Job; the error itself where it is about something else. */
function refusalOf(error: unknown, stage: string): unknown {
  if (!(error instanceof KubeError)) return error;
  if (isInvalid(error)) return new StageRefused(stage, 'InvalidSpec', error.message);
  if (!REFUSED.has(error.status)) return error;
  return new StageRefused(stage, 'PodCreationRefused', error.message, true);
}

/**
 * A Job whose labels are changed by something in the cluster cannot be watched, so it must not go on: nobody would see
 * it end. The answer to our own write says so, and to the next one it would be the same. @throws StageRefused
 */
async function refuseChanged(
  job: Job,
  stage: string,
  run: PipelineRun,
  deps: ApplyDeps,
  signal: AbortSignal,
): Promise<void> {
  if (isWhole(job, run)) return;
  const { name = '', uid = '' } = job.metadata;
  await deleteObject(jobs, name, { uid }, run, deps, signal);
  const message = `something in the cluster changes the labels or the owner of Job ${name}: a policy or a webhook?`;
  throw new StageRefused(stage, 'PodCreationRefused', message);
}

/**
 * A cache that has no such Job may be older than the Job, or the Job has lost its labels.
 * @throws StillThere when the Job exists and nobody has deleted it; StageRefused when it had to be.
 */
export async function confirmJobGone(
  { stage, attempt }: Extract<Action, { type: 'ConfirmJobGone' }>,
  run: PipelineRun,
  deps: ApplyDeps,
  signal: AbortSignal,
): Promise<void> {
  const name = jobName(run.metadata, stage, attempt);
  const found = await reclaimJob(name, run, deps, signal);
  if (!found || found.metadata.deletionTimestamp !== undefined) return;
  await refuseChanged(found, stage, run, deps, signal);
  throw new StillThere(`Job ${name} still exists`);
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
