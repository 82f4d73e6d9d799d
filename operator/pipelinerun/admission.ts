/**
 * Admission: at most one pod of a stage may store its outputs. The decision is a status write with resourceVersion,
 * made before the worker gets its answer, so that no crash and no second operator can admit another one.
 */
import { MANAGER } from '../api/names.ts';
import { isTerminal, type PipelineRunStatus } from '../api/status.ts';
import type { PipelineRun } from '../api/types.ts';
import type { KubeClient } from '../kube/client.ts';
import { isConflict, isNotFound } from '../kube/errors.ts';
import type { Resource } from '../kube/resource.ts';
import type { KubeObject } from '../kube/types.ts';

export interface Candidate {
  namespace: string;
  run: string;
  runUID: string;
  stage: string;
  attempt: number;
  podUID: string;
}

export type Verdict = { admitted: true } | { admitted: false; message: string };

/** Why there is no verdict yet. */
const NO_VERDICT = {
  /** The pod is about to be ended. A refusal would make it fail by itself before that, and the run with it. */
  RUN_SUSPENDED: 'the run is suspended',
  /**
   * The status does not say yet that the attempt has begun, nor what became of the one before: an operator died in
   * between. The next reconcile says both; an admission that said the first alone would lose the second.
   */
  ATTEMPT_UNKNOWN: 'the attempt of this pod is not in the status yet',
} as const;

/** The pod is neither admitted nor refused: it is to ask again. */
export class AskAgain extends Error {
  override readonly name = 'AskAgain';
  readonly code: keyof typeof NO_VERDICT;

  constructor(code: AskAgain['code']) {
    super(`${NO_VERDICT[code]}: ask again`);
    this.code = code;
  }
}

/** What the status alone says; undefined when the pod is to be admitted by a write. Pure. @throws AskAgain */
export function judge(run: PipelineRun, candidate: Candidate): Verdict | undefined {
  const refuse = (message: string): Verdict => ({ admitted: false, message });
  if (run.metadata.uid !== candidate.runUID) return refuse('the run of this pod does not exist any more');
  const stage = run.status?.stages?.find(({ name }) => name === candidate.stage);
  if (stage?.admitted === candidate.podUID) return { admitted: true };
  if (run.metadata.deletionTimestamp !== undefined || run.spec.cancel === true)
    return refuse('the run was canceled');
  if (run.status?.outcome || (stage && isTerminal(stage.state))) return refuse('the stage has ended');
  if (stage?.attempt !== undefined && stage.attempt > candidate.attempt)
    return refuse('a newer attempt of the stage has begun');
  if (stage?.admitted !== undefined && stage.attempt === candidate.attempt)
    return refuse('the outputs of another pod were admitted');
  if (candidate.attempt > (stage?.attempt ?? 1)) throw new AskAgain('ATTEMPT_UNKNOWN');
  return undefined;
}

/**
 * The status with the candidate admitted. A stage that is not in it yet, because an operator died between creating the
 * Job and saying so, is added. Pure.
 */
export function admit(status: PipelineRunStatus, candidate: Candidate): PipelineRunStatus {
  const { stage: name, attempt, podUID: admitted } = candidate;
  const known = status.stages ?? [];
  const stages = known.some((stage) => stage.name === name)
    ? known
    : [...known, { name, state: 'Provisioning' as const }];
  return {
    ...status,
    stages: stages.map((stage) => (stage.name === name ? { ...stage, attempt, admitted } : stage)),
  };
}

/**
 * Admits the pod, or says why not. Reads the run from the API server, never from a cache.
 * @throws AskAgain, or KubeError when the API server does not answer; the worker asks again either way.
 */
export async function decideAdmission(
  client: KubeClient,
  resource: Resource<PipelineRun & KubeObject>,
  candidate: Candidate,
  signal: AbortSignal,
): Promise<Verdict & { resourceVersion?: string }> {
  for (;;) {
    signal.throwIfAborted();
    const run = await read(client, resource, candidate, signal);
    if (!run) return { admitted: false, message: 'the run of this pod does not exist any more' };
    const verdict = judge(run, candidate);
    if (verdict) return verdict;
    if (run.spec.suspend === true) throw new AskAgain('RUN_SUSPENDED');
    try {
      const written = await client.applyStatus(
        resource,
        candidate.namespace,
        candidate.run,
        admit(run.status ?? {}, candidate),
        {
          fieldManager: MANAGER,
          resourceVersion: run.metadata.resourceVersion,
          uid: run.metadata.uid,
          signal,
        },
      );
      return { admitted: true, resourceVersion: written.metadata.resourceVersion };
    } catch (error) {
      // Somebody wrote in between, most often our own reconcile: look again. The caller's deadline bounds this.
      if (!isConflict(error)) throw error;
    }
  }
}

async function read(
  client: KubeClient,
  resource: Resource<PipelineRun & KubeObject>,
  { namespace, run }: Candidate,
  signal: AbortSignal,
): Promise<PipelineRun | undefined> {
  try {
    return await client.get(resource, namespace, run, { signal });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
