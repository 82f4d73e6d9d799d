/**
 * How a copy ended, from the last words of all its workers: each knows only what was dealt to it, so that here is where
 * their failures are added up and held against maxFailures. Pure.
 */
import type { Stage } from '../api/pipelinerun.ts';
import type { DeepReadonly, Job } from '../kube/types.ts';
import { lastWords, sumCopies } from '../../workers/contract/lastwords.ts';
import type { CopyResult, WorkerManifest } from '../../workers/contract/manifests.ts';
import type { Failure } from './failure.ts';
import { isConditionTrue } from './trueconditions.ts';
import { workersPlanned } from './growth.ts';
import { attemptOf } from './ours.ts';
import { millis } from './podfacts.ts';
import type { StageOutcome } from './success.ts';
import { count } from './text.ts';
import type { Observed } from './types.ts';

/** What the workers of a stage have said last, each index once. Pods that said something may be gone by now. */
export function wordsOf(stage: string, reports: ReadonlyMap<string, WorkerManifest>): WorkerManifest[] {
  return lastWords([...reports.values()].filter((report) => report.stage === stage));
}

/**
 * The last word of each worker of the Job that has done its part. Of its attempt alone: the first worker of a Job ends
 * only after the Job has all the others.
 */
export function goodWordsOf(
  stage: Stage,
  job: DeepReadonly<Job>,
  reports: Observed['reports'],
): WorkerManifest[] {
  const workers = job.spec.completions ?? 1;
  const good = [...reports.values()].filter(
    (report) =>
      report.stage === stage.name &&
      report.attempt === attemptOf(job) &&
      report.index < workers &&
      report.exit.code === 0,
  );
  return lastWords(good);
}

/** Seconds after the end of a Job for which the words of its workers are waited for. */
const WORDS_SECONDS = 600;

/** Undefined while a worker has not done all its rows, or has not been heard. */
export function copyOutcome(
  stage: Stage,
  job: DeepReadonly<Job>,
  { reports, heard, plans }: Pick<Observed, 'reports' | 'heard' | 'plans'>,
  now: Date,
): StageOutcome | undefined {
  const lacking = workersPlanned(stage, plans) - (job.spec.completions ?? 1);
  if (lacking > 0) {
    // It has not grown yet, or it has and the cache is older: what would be said now says nothing of the others' rows.
    if (!isConditionTrue(job, 'Complete')) return undefined;
    const message = `the Job ended without ${count(lacking, 'worker')} that the plan of the copy has rows for`;
    return { state: 'Failed', reason: 'Error', message };
  }
  const words = goodWordsOf(stage, job, reports);
  const silent = (job.spec.completions ?? 1) - words.length;
  if (silent > 0 && !isConditionTrue(job, 'Complete')) return undefined;
  if (silent > 0 && !heard.has(job.metadata.uid ?? '')) {
    const since = millis(job.status?.completionTime) ?? now.getTime();
    if (now.getTime() < since + WORDS_SECONDS * 1000) return undefined;
    const message = `the results store does not say what ${count(silent, 'worker')} of the copy did`;
    return { state: 'Failed', reason: 'StoreUnavailable', message };
  }
  const sum = sumCopies(words);
  if (!sum) return { state: 'Succeeded', reason: 'Completed', message: '' };
  const message = (stage.copy?.dryRun && words[0]?.message) || describeCopy(sum);
  if (sum.failed === 0) return { state: 'Succeeded', reason: 'Completed', message };
  const allowed = stage.copy?.maxFailures ?? 0;
  if (sum.failed <= allowed) return { state: 'Succeeded', reason: 'CopiedWithFailures', message };
  return { state: 'Failed', reason: 'CopyFailed', message: `${message}; copy.maxFailures is ${allowed}` };
}

/** Why a copy failed, and how much of it was done all the same: a Move has moved that much. */
export function withFigures(failure: Failure, words: readonly WorkerManifest[]): Failure {
  const sum = sumCopies(words);
  return sum === undefined ? failure : { ...failure, message: `${describeCopy(sum)}; ${failure.message}` };
}

function describeCopy({ copied, renamed, skipped, moved, failed }: CopyResult): string {
  const parts = [`${count(copied, 'object')} copied`, `${renamed} renamed`];
  if (skipped > 0) parts.push(`${skipped} already there`);
  if (moved > 0) parts.push(`${count(moved, 'source')} deleted`);
  if (failed > 0) parts.push(`${failed} failed (ebbflow results failures)`);
  return parts.join(', ');
}
