/** Which failed calls are sent again, and when. Pure. */
import { isTooLargeResourceVersion, isTransient, KubeConnectionError, KubeError } from './errors.ts';

/** How calls are sent again. */
export interface RetryPolicy {
  /** The first delay, in milliseconds; doubles with each attempt. */
  readonly baseMs: number;
  /** The longest delay, in milliseconds, unless the server asks for more. */
  readonly maxMs: number;
  /** Attempts in all. */
  readonly attempts: number;
}

export const defaultRetryPolicy: RetryPolicy = { baseMs: 100, maxMs: 2_000, attempts: 6 };

/**
 * What to do after attempt number `attempt` (from 1) failed: the delay in milliseconds, or undefined to give up.
 * A call that must not happen twice is only sent again if the server refused it (429) or never got it.
 */
export function retryDelayMs(
  error: unknown,
  attempt: number,
  repeatable: boolean,
  policy: RetryPolicy,
  random: () => number,
): number | undefined {
  if (attempt >= policy.attempts || !isTransient(error)) return undefined;
  // The server has waited for that version by itself, for seconds: whoever asked must ask for another one.
  if (isTooLargeResourceVersion(error)) return undefined;
  if (!repeatable && !isRefusedUnread(error)) return undefined;
  const ceiling = Math.min(policy.baseMs * 2 ** (attempt - 1), policy.maxMs);
  const delay = ceiling / 2 + (ceiling / 2) * random();
  const asked = error instanceof KubeError ? (error.retryAfterMs ?? 0) : 0;
  return asked > 0 ? asked + delay : delay;
}

function isRefusedUnread(error: unknown): boolean {
  if (error instanceof KubeConnectionError) return error.unsent;
  return error instanceof KubeError && error.status === 429;
}
