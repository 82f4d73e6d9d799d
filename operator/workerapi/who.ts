/** Pod -> Job of ours -> run and stage. Nothing here comes from the request. */
import { stageKind } from '../api/defaults.ts';
import { API_VERSION, jobName, KIND, LABEL } from '../api/names.ts';
import type { PipelineRun } from '../api/types.ts';
import { controllerOf } from '../kube/owners.ts';
import type { DeepReadonly, Job, KubeObject, Pod } from '../kube/types.ts';
import { CallRefused } from './errors.ts';
import type { TokenSubject } from './tokens.ts';
import type { LiveLookup, WorkerApiDeps, WorkerCaller } from './types.ts';

const INDEX = 'batch.kubernetes.io/job-completion-index';

type WhoDeps = Pick<WorkerApiDeps, 'pods' | 'jobs' | 'run' | 'fenced'>;

/** @throws CallRefused NotAWorker or Fenced; ReviewUnavailable when the API server does not answer. */
export async function identifyWorker(
  subject: TokenSubject,
  deps: WhoDeps,
  signal: AbortSignal,
): Promise<WorkerCaller> {
  if (deps.fenced(subject.podUID)) throw new CallRefused('Fenced');
  const { namespace } = subject;
  const pod = await lookUp(
    deps.pods,
    namespace,
    subject.podName,
    (found) => found.metadata.uid === subject.podUID,
    signal,
  );
  if (pod === undefined) throw new CallRefused('NotAWorker');
  // Whoever set this gave the pod up: a kubelet that was away may not know yet, nor may a new operator.
  if (pod.status?.phase === 'Failed') throw new CallRefused('Fenced');
  const jobRef = controllerOf(pod);
  if (jobRef?.kind !== 'Job' || jobRef.apiVersion !== 'batch/v1') throw new CallRefused('NotAWorker');
  const job = await lookUp(
    deps.jobs,
    namespace,
    jobRef.name,
    (found) => found.metadata.uid === jobRef.uid,
    signal,
  );
  if (job === undefined) throw new CallRefused('NotAWorker');
  return callerOf(pod, job, runOf(job, namespace, deps.run));
}

/** What the cache does not have, or has in an older life, may be newer than the cache. */
async function lookUp<T extends KubeObject>(
  lookup: LiveLookup<T>,
  namespace: string,
  name: string,
  accept: (object: DeepReadonly<T>) => boolean,
  signal: AbortSignal,
): Promise<DeepReadonly<T> | T | undefined> {
  const cached = lookup.cached(namespace, name);
  if (cached !== undefined && accept(cached)) return cached;
  let live: T | undefined;
  try {
    live = await lookup.fetch(namespace, name, signal);
  } catch (error) {
    throw new CallRefused('ReviewUnavailable', { cause: error });
  }
  if (live === undefined) return undefined;
  // The compiler cannot see that every T is a DeepReadonly<T>.
  const seen: unknown = live;
  return isObject<T>(seen) && accept(seen) ? seen : undefined;
}

function isObject<T extends KubeObject>(value: unknown): value is DeepReadonly<T> {
  return typeof value === 'object' && value !== null && 'metadata' in value;
}

/** The run that has made the Job, as its owner says; it must be there. */
function runOf(
  job: DeepReadonly<KubeObject>,
  namespace: string,
  find: WorkerApiDeps['run'],
): DeepReadonly<PipelineRun> {
  const owner = controllerOf(job);
  const isRun = owner?.kind === KIND && owner.apiVersion === API_VERSION;
  const run = isRun ? find(owner.uid) : undefined;
  if (run === undefined || run.metadata.namespace !== namespace || run.metadata.name !== owner?.name)
    throw new CallRefused('NotAWorker');
  return run;
}

function callerOf(
  pod: DeepReadonly<Pod>,
  job: DeepReadonly<Job>,
  run: DeepReadonly<PipelineRun>,
): WorkerCaller {
  // Anybody may change the labels of the Job itself; those of its template and its name stay as they were made.
  const made = job.spec.template.metadata?.labels ?? {};
  const stage = run.spec.stages.find(({ name }) => name === made[LABEL.stage]);
  const attempt = wholeNumber(made[LABEL.attempt]);
  const index = wholeNumber(pod.metadata.annotations?.[INDEX] ?? pod.metadata.labels?.[INDEX]);
  const { name: podName, uid: podUID } = pod.metadata;
  if (stage === undefined || attempt === undefined || index === undefined)
    throw new CallRefused('NotAWorker');
  if (job.metadata.name !== jobName(run.metadata, stage.name, attempt)) throw new CallRefused('NotAWorker');
  if (podName === undefined || podUID === undefined) throw new CallRefused('NotAWorker');
  const { nodeName } = pod.spec;
  return {
    namespace: run.metadata.namespace,
    runUID: run.metadata.uid,
    run: run.metadata.name,
    stage: stage.name,
    kind: stageKind(stage),
    attempt,
    index,
    podUID,
    podName,
    ...(nodeName === undefined ? {} : { nodeName }),
    dependsOn: stage.dependsOn ?? [],
    workers: job.spec.completions ?? 1,
  };
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
