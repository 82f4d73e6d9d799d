/** Asks the results store what nobody has told, and notes the answers with what workers have said themselves. */
import type { PipelineRun } from '../api/types.ts';
import type { Clock } from '../kube/clock.ts';
import type { Logger } from '../kube/logger.ts';
import type { Results } from '../results/types.ts';
import type { Question } from './questions.ts';
import type { WorkerFacts } from './workerfacts.ts';

export interface AskDeps {
  facts: WorkerFacts;
  results: Pick<Results, 'findManifest' | 'findManifests' | 'findPlan'>;
  clock: Clock;
}

/** One object is got for a pod; for the workers of a Job many are listed. */
const TURNS = { Pod: 0, Plan: 1, Workers: 2 } as const;

/** Longest time that a store is asked about one run in a row, in milliseconds. */
const ASK_MS = 5_000;

/**
 * What was asked a moment ago is left out; a store that does not answer is asked again.
 * @returns whether anything was asked now.
 */
export async function askStore(
  run: PipelineRun,
  questions: readonly Question[],
  deps: AskDeps,
  log: Logger,
  signal: AbortSignal,
): Promise<boolean> {
  const { uid } = run.metadata;
  const { facts, clock } = deps;
  const late = new AbortController();
  const cancelTimer = clock.after(ASK_MS, () => late.abort(new Error(`no answer within ${ASK_MS} ms`)));
  const deadline = AbortSignal.any([signal, late.signal]);
  let asked = false;
  for (const question of questions.toSorted((a, b) => TURNS[a.about] - TURNS[b.about])) {
    // What there is no time for now has not been asked: it is the next time.
    if (deadline.aborted) break;
    if (!facts.mayLook(uid, nameOf(question), { once: question.about === 'Pod' && question.ended })) continue;
    asked = true;
    try {
      await ask(run, question, deps, deadline);
      facts.answered(uid, nameOf(question));
    } catch (error) {
      if (signal.aborted) break;
      log.warn({ question, err: error }, 'The results store could not be asked what workers left in it');
    }
  }
  cancelTimer();
  signal.throwIfAborted();
  return asked;
}

/**
 * Stages about whose workers the store has not answered yet, and since when it should, in milliseconds since the epoch:
 * where there are several questions, the newest.
 */
export function unansweredOf(
  { metadata: { uid } }: PipelineRun,
  questions: readonly Question[],
  facts: WorkerFacts,
): ReadonlyMap<string, number> {
  const stages = new Map<string, number>();
  for (const question of questions) {
    const since = facts.wantedSince(uid, nameOf(question));
    if (since === undefined) continue;
    for (const stage of stageOf(question)) stages.set(stage, Math.max(since, stages.get(stage) ?? since));
  }
  return stages;
}

/** The stage whose end an answer may change. */
function stageOf(question: Question): string[] {
  switch (question.about) {
    case 'Plan':
      return [];
    case 'Pod':
      return [question.attempt.stage];
    case 'Workers':
      return [question.stage];
    default:
      return question satisfies never;
  }
}

function nameOf(question: Question): string {
  switch (question.about) {
    case 'Plan':
      return `plan of ${question.stage}`;
    case 'Pod':
      // What was answered before the end says nothing about it.
      return `${question.ended ? 'ended pod' : 'pod'} ${question.attempt.podUID}`;
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
