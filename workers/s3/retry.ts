import { setTimeout as sleep } from 'node:timers/promises';
import { S3Error } from './errors.ts';

/** How often and how long a request is tried again. All times in milliseconds. */
export interface RetryPolicy {
  /** Requests in all, the first included. */
  readonly attempts: number;
  /** The same where the store only asks for fewer requests; default `attempts`. */
  readonly throttledAttempts?: number;
  /** Mean of the first wait; it doubles from there. */
  readonly baseDelay: number;
  readonly maxDelay: number;
}

export const defaultRetry: RetryPolicy = {
  attempts: 6,
  throttledAttempts: 30,
  baseDelay: 100,
  maxDelay: 10_000,
};

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

/**
 * Runs `work` until it succeeds, fails for good, or the attempts are used up. The last error is thrown, and says whether
 * an attempt before it may have been done; where the signal ends the waiting, its reason is.
 */
export async function withRetry<T>(
  policy: RetryPolicy,
  work: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  let throttled = 0;
  let failed = 0;
  let unknown = false;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (error instanceof S3Error) error.afterUnknown = unknown;
      if (signal.aborted || !(error instanceof S3Error) || !isRetryable(error)) throw error;
      const slowDown = error.retryClass === 'throttle';
      if (slowDown) throttled += 1;
      else failed += 1;
      if (throttled >= (policy.throttledAttempts ?? policy.attempts) || failed >= policy.attempts)
        throw error;
      unknown ||= mayBeDone(error);
      const attempt = slowDown ? throttled : failed;
      await sleep(retryDelay(policy, attempt + 1, error.retryAfter), undefined, { signal }).catch(() => {
        throw signal.reason;
      });
    }
  }
}

/** Without an answer, with a fault behind it, or with an error inside a success: a request may have been done. */
function mayBeDone({ status }: S3Error): boolean {
  return status === 0 || status >= 500 || (status >= 200 && status < 300);
}

/** Whether the same request may succeed later without anybody changing anything. */
export function isRetryable(error: unknown): boolean {
  return error instanceof S3Error && (error.retryClass === 'throttle' || error.retryClass === 'transient');
}
