/**
 * Last words of copy workers that ended while no operator listened. Their manifests are in the store, and only they say
 * how many objects could not be copied.
 */
import { stageKind } from '../api/defaults.ts';
import { isTerminal } from '../api/status.ts';
import type { PipelineRun } from '../api/types.ts';
import type { Logger } from '../kube/logger.ts';
import type { Results } from '../results/types.ts';
import { attemptRef } from './attempts.ts';
import { type Children, childrenOf, podsOf } from './children.ts';
import { goodWordsOf } from './copyend.ts';
import type { ObserveDeps } from './observe.ts';
import { isConditionTrue } from './trueconditions.ts';
import { isFinished } from './podfacts.ts';

export interface UnreportedDeps extends Pick<ObserveDeps, 'jobs' | 'pods' | 'facts'> {
  results: Pick<Results, 'findManifest' | 'findManifests'>;
}

/** Longest time that a store is asked about one stage, in milliseconds. */
const FIND_MS = 5_000;

/** Reads what is missing into the facts. A store that does not answer is asked again. */
export async function findUnreported(
  run: PipelineRun,
  deps: UnreportedDeps,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const { uid } = run.metadata;
  const jobs = deps.jobs.byOwner(uid);
  for (const stage of run.spec.stages) {
    const known = run.status?.stages?.find(({ name }) => name === stage.name);
    if (stageKind(stage) !== 'copy' || (known && isTerminal(known.state))) continue;
    const pods = jobs.flatMap((job) => podsOf(job, deps.pods.byOwner(job.metadata.uid ?? '')));
    const children = childrenOf(stage.name, jobs, pods);
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(FIND_MS)]);
    try {
      await askPods(run, children, deps, deadline);
      await askStore(run, stage.name, children, deps, deadline);
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ stage: stage.name, err: error }, 'The last words of workers could not be looked for');
    }
  }
}

/** Pods that have ended and said nothing. */
async function askPods(
  run: PipelineRun,
  { pods }: Children,
  { facts, results }: UnreportedDeps,
  signal: AbortSignal,
): Promise<void> {
  const { uid } = run.metadata;
  for (const pod of pods) {
    const attempt = attemptRef(run, pod);
    if (!attempt || !isFinished(pod) || facts.reports(uid).has(attempt.podUID)) continue;
    if (!facts.mayLook(uid, `manifest of ${attempt.podUID}`)) continue;
    const manifest = await results.findManifest(attempt, signal);
    if (manifest) facts.found(uid, manifest);
  }
}

/** Workers of a Job that is over and that did their part unheard; their pods may be gone with their nodes. */
async function askStore(
  { metadata }: PipelineRun,
  stage: string,
  { job }: Children,
  { facts, results }: UnreportedDeps,
  signal: AbortSignal,
): Promise<void> {
  const { uid, namespace } = metadata;
  const isOver = job && (isConditionTrue(job, 'Complete') || isConditionTrue(job, 'Failed'));
  const jobUID = job?.metadata.uid ?? '';
  if (!isOver || facts.heard(uid).has(jobUID)) return;
  const good = new Set(goodWordsOf(job, facts.reports(uid)).map(({ index }) => index));
  const silent = Array.from({ length: job.spec.completions ?? 1 }, (_, index) => index).filter(
    (index) => !good.has(index),
  );
  if (silent.length > 0 && !facts.mayLook(uid, `workers of ${jobUID}`)) return;
  for (const index of silent)
    for (const manifest of await results.findManifests({ namespace, uid }, stage, index, signal))
      facts.found(uid, manifest);
  facts.allHeard(uid, jobUID);
}
