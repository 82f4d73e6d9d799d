/** Asks the results store what nobody has told, and notes the answers with what workers have said themselves. */
import type { PipelineRun } from '../api/types.ts';
import type { Logger } from '../kube/logger.ts';
import type { Results } from '../results/types.ts';
import type { Question } from './questions.ts';
import type { WorkerFacts } from './workerfacts.ts';

export interface AskDeps {
  facts: WorkerFacts;
  results: Pick<Results, 'findManifest' | 'findManifests' | 'findPlan'>;
}

/** Longest time that a store is asked about one run in a row, in milliseconds. */
const ASK_MS = 5_000;

/**
 * What was asked a moment ago is left out; a store that does not answer is asked again.
 * @returns whether anything was asked.
 */
export async function askStore(
  run: PipelineRun,
  questions: readonly Question[],
  deps: AskDeps,
  log: Logger,
  signal: AbortSignal,
): Promise<boolean> {
  const due = questions.filter((question) => deps.facts.mayLook(run.metadata.uid, nameOf(question)));
  if (due.length === 0) return false;
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]);
  for (const question of due) {
    try {
      await ask(run, question, deps, deadline);
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ question, err: error }, 'The results store could not be asked what workers left in it');
    }
  }
  return true;
}

function nameOf(question: Question): string {
  switch (question.about) {
    case 'Plan':
      return `plan of ${question.stage}`;
    case 'Pod':
      return `pod ${question.attempt.podUID}`;
    case 'Workers':
      return `workers of ${question.job}`;
    default:
      return question satisfies never;
  }
}

async function ask(
  { metadata }: PipelineRun,
  question: Question,
  { facts, results }: AskDeps,
  signal: AbortSignal,
): Promise<void> {
  const { uid, namespace, name } = metadata;
  signal.throwIfAborted();
  switch (question.about) {
    case 'Plan': {
      const { stage } = question;
      const plan = await results.findPlan({ namespace, uid }, stage, signal);
      if (plan) facts.planned({ namespace, run: name, runUID: uid, stage }, plan.workers);
      return;
    }
    case 'Pod': {
      const manifest = await results.findManifest(question.attempt, signal);
      if (manifest) facts.found(uid, manifest);
      return;
    }
    case 'Workers':
      for (const index of question.indexes)
        for (const manifest of await results.findManifests({ namespace, uid }, question.stage, index, signal))
          facts.found(uid, manifest);
      facts.allHeard(uid, question.job);
      return;
    default:
      question satisfies never;
  }
}
