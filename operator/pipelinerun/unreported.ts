/**
 * Workers that ended while no operator listened. Their manifests are in the store, and only they say how many objects
 * a copy could not do.
 */
import { isTerminal } from '../api/status.ts';
import type { PipelineRun } from '../api/types.ts';
import type { Logger } from '../kube/logger.ts';
import type { Results } from '../results/types.ts';
import { attemptRef } from './attempts.ts';
import type { ObserveDeps } from './observe.ts';

export interface UnreportedDeps extends Pick<ObserveDeps, 'pods' | 'facts'> {
  results: Pick<Results, 'findManifest'>;
}

/** Longest time that a store is asked for one manifest, in milliseconds. */
const FIND_MS = 5_000;

/** Reads what is missing into the facts. A store that does not answer is no reason to wait: the Job says enough. */
export async function findUnreported(
  run: PipelineRun,
  { pods, facts, results }: UnreportedDeps,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const { uid } = run.metadata;
  const ended = new Set(
    (run.status?.stages ?? []).filter(({ state }) => isTerminal(state)).map(({ name }) => name),
  );
  for (const pod of pods.byIndex('run', uid)) {
    const attempt = attemptRef(run, pod);
    if (pod.status?.phase !== 'Succeeded' || attempt?.kind !== 'copy' || ended.has(attempt.stage)) continue;
    if (facts.reports(uid).has(attempt.podUID)) continue;
    try {
      const manifest = await results.findManifest(
        attempt,
        AbortSignal.any([signal, AbortSignal.timeout(FIND_MS)]),
      );
      if (manifest) facts.found(uid, manifest);
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ pod: attempt.podName, err: error }, 'The manifest of a worker could not be looked for');
    }
  }
}
