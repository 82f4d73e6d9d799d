import { setTimeout as sleep } from 'node:timers/promises';
import { S3Error } from '../s3/errors.ts';
import { isRetryable, retryDelay } from '../s3/retry.ts';

const policy = { attempts: Number.POSITIVE_INFINITY, baseDelay: 500, maxDelay: 15_000 };

/** A transfer that broke off, or whose content was not what was promised: worth trying again from the beginning. */
export class TransferBroken extends Error {
  override readonly name = 'TransferBroken';
  readonly code = 'TransferBroken';
}

/**
 * Repeats a whole transfer of one file for `patience` milliseconds while the store may recover. The client below has
 * its own few quick tries; this is for a store that restarts.
 */
export async function withPatience<T>(
  patience: number,
  work: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const end = performance.now() + patience;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (!isRetryable(error) && !(error instanceof TransferBroken)) throw error;
      const wait = retryDelay(policy, attempt, error instanceof S3Error ? error.retryAfter : undefined);
      if (performance.now() + wait > end) throw error;
      await sleep(wait, undefined, { signal }).catch(() => {
        throw signal.reason;
      });
    }
  }
}
