/**
 * Plans of copies that nobody reported: the worker's word was lost, or came to an operator that is no more. The plan is
 * in the store, and only it says how many workers there is work for.
 */
import { isTerminal } from '../api/status.ts';
import type { PipelineRun } from '../api/types.ts';
import type { Logger } from '../kube/logger.ts';
import type { Results } from '../results/types.ts';
import { mayGrow } from './growth.ts';
import type { WorkerFacts } from './workerfacts.ts';

export interface UnplannedDeps {
  facts: WorkerFacts;
  results: Pick<Results, 'findPlan'>;
}

/** Longest time that a store is asked for one plan, in milliseconds. */
const FIND_MS = 5_000;

/** Reads what is missing into the facts. A store that does not answer is asked again: until then one worker copies. */
export async function findUnplanned(
  run: PipelineRun,
  { facts, results }: UnplannedDeps,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const { uid, namespace, name } = run.metadata;
  for (const stage of run.spec.stages) {
    // While a stage is not seen to be running, its plan is news that its worker is about to tell.
    const { state = 'Waiting' } = run.status?.stages?.find((known) => known.name === stage.name) ?? {};
    const begun = !isTerminal(state) && state !== 'Waiting' && state !== 'Provisioning';
    if (!begun || !mayGrow(stage) || facts.plans(uid).has(stage.name)) continue;
    if (!facts.mayLook(uid, `plan of ${stage.name}`)) continue;
    try {
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(FIND_MS)]);
      const plan = await results.findPlan({ namespace, uid }, stage.name, deadline);
      if (plan) facts.planned({ namespace, run: name, runUID: uid, stage: stage.name }, plan.workers);
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ stage: stage.name, err: error }, 'The plan of a stage could not be looked for');
    }
  }
}
