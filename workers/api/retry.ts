import { setTimeout as sleep } from 'node:timers/promises';
import { WorkerApiError } from './errors.ts';

const baseDelay = 200;
const maxDelay = 15_000;
/** A token that was just rotated, or a token review that fell into a restart, heals within a few tries. */
const unauthorizedTries = 4;

/**
 * Milliseconds before try `attempt` (1 is the first repetition): equal jitter, never shorter than asked for. Many that
 * were asked to wait equally long come back spread all the same.
 */
export function waitBefore(attempt: number, retryAfter: number | undefined, random = Math.random): number {
  const ceiling = Math.min(maxDelay, baseDelay * 2 ** attempt);
  const spread = (random() * ceiling) / 2;
  return Math.max(ceiling / 2, retryAfter ?? 0) + spread;
}

/**
 * Repeats `work` while its `WorkerApiError` may heal, the caller does not give up on it, and the next try would begin
 * within `patience` milliseconds.
 */
export async function retryUntil<T>(
  patience: number,
  work: () => Promise<T>,
  signal: AbortSignal,
  giveUp: (error: WorkerApiError) => boolean = () => false,
): Promise<T> {
  const end = performance.now() + patience;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted || !(error instanceof WorkerApiError)) throw error;
      const unauthorized = error.status === 401 && error.code === 'Refused' && attempt < unauthorizedTries;
      if (giveUp(error) || (!error.retryable && !unauthorized)) throw error;
      const wait = waitBefore(attempt, error.retryAfter);
      if (performance.now() + wait > end) throw error;
      await sleep(wait, undefined, { signal }).catch(() => {
        throw signal.reason;
      });
    }
  }
}
