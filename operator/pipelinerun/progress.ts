/** What the workers of a stage say about how far they are -> how far the stage is. Pure. */
import type { StageStatus } from '../api/status.ts';
import type { ProgressRequest } from '../../workers/contract/workerapi.ts';

export type Progress = NonNullable<StageStatus['progress']>;

/** The last word of one worker, and how long ago it came, in milliseconds. */
export interface ProgressWord {
  readonly said: ProgressRequest;
  readonly age: number;
}

/** A pace that was said longer ago is that of a worker which has ended. */
const FRESH_MS = 15_000;

/** What is done is summed; what there is in all, each worker says for all of them. */
export function sumProgress(words: readonly ProgressWord[]): Progress {
  const all = words.map(({ said }) => said);
  const done = add(all, ({ done: units }) => units);
  const total = most(all, (said) => said.total);
  const fresh = words.filter(({ age }) => age < FRESH_MS).map(({ said }) => said);
  const perSecond = Math.round(add(fresh, (said) => said.perSecond) * 10) / 10;
  const requests = add(fresh, (said) => said.requests);
  const throttled = add(fresh, (said) => said.throttled);
  // The slowest worker is the last; who has not begun yet is in what all of them have left.
  const slowest = most(fresh, (said) => said.secondsLeft);
  const together = perSecond > 0 ? Math.ceil((total - done) / perSecond) : 0;
  const seconds = Math.min(MOST_SECONDS, Math.max(slowest, together));
  return {
    done,
    total,
    unit: all[0]?.unit ?? '',
    ...(all.some((said) => said.totalBytes !== undefined)
      ? { bytes: add(all, (said) => said.bytes), totalBytes: most(all, (said) => said.totalBytes) }
      : {}),
    ...(perSecond > 0 && done < total ? { perSecond, secondsLeft: seconds } : {}),
    ...(requests > 0 && throttled > 0
      ? { throttledPercent: Math.min(100, Math.ceil((100 * throttled) / requests)) }
      : {}),
  };
}

/** Longest time that is said, in seconds. */
const MOST_SECONDS = 2_147_483_647;

/** Without the pace, which says nothing once the work has ended. */
export function withoutPace({
  perSecond: _pace,
  secondsLeft: _left,
  throttledPercent: _share,
  ...rest
}: Progress): Progress {
  return rest;
}

/** Where there are very many stages, each says no more than it must, so that status stays bounded. */
export function clipProgress({ done, total, unit }: Progress): Progress {
  return { done, total, unit };
}

/** `42 % of 5000 objects, 1204/s, 3 min left, 2 % throttled`. */
export function describeProgress(progress: Progress): string {
  const { done, total, unit, perSecond, secondsLeft, throttledPercent } = progress;
  const parts = [`${Math.floor((100 * done) / total)} % of ${total} ${unit}`];
  if (perSecond !== undefined) parts.push(`${perSecond}/s`);
  if (secondsLeft !== undefined)
    parts.push(secondsLeft < 120 ? `${secondsLeft} s left` : `${Math.round(secondsLeft / 60)} min left`);
  if (throttledPercent !== undefined) parts.push(`${throttledPercent} % throttled`);
  return parts.join(', ');
}

function add(words: readonly ProgressRequest[], read: (word: ProgressRequest) => number | undefined): number {
  return words.reduce((sum, word) => sum + (read(word) ?? 0), 0);
}

function most(
  words: readonly ProgressRequest[],
  read: (word: ProgressRequest) => number | undefined,
): number {
  return words.reduce((so, word) => Math.max(so, read(word) ?? 0), 0);
}
