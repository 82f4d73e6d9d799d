import { setTimeout as sleep } from 'node:timers/promises';
import { S3Error } from './errors.ts';

/** How often and how long a request is tried again. All times in milliseconds. */
export interface RetryPolicy {
  /** Requests in all, the first included. */
  readonly attempts: number;
  /** Mean of the first wait; it doubles from there. */
  readonly baseDelay: number;
  readonly maxDelay: number;
}

export const defaultRetry: RetryPolicy = { attempts: 6, baseDelay: 100, maxDelay: 10_000 };

/** The wait before attempt `attempt` (2 is the first repetition): full jitter, never shorter than the store asked for. */
export function retryDelay(
  policy: RetryPolicy,
  attempt: number,
  retryAfter: number | undefined,
  random: () => number = Math.random,
): number {
  const ceiling = Math.min(policy.maxDelay, policy.baseDelay * 2 ** (attempt - 1));
  return Math.max(random() * ceiling, retryAfter ?? 0);
}

/** Runs `work` until it succeeds, fails for good, or the attempts are used up. The last error is thrown. */
export async function withRetry<T>(
  policy: RetryPolicy,
  work: (attempt: number) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work(attempt);
    } catch (error) {
      if (signal.aborted || attempt >= policy.attempts || !isRetryable(error)) throw error;
      const retryAfter = error instanceof S3Error ? error.retryAfter : undefined;
      await sleep(retryDelay(policy, attempt + 1, retryAfter), undefined, { signal });
    }
  }
}

/** Whether the same request may succeed later without anybody changing anything. */
export function isRetryable(error: unknown): boolean {
  return error instanceof S3Error && (error.retryClass === 'throttle' || error.retryClass === 'transient');
}
