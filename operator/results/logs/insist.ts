/** A log waits for its store: nothing of it is given up because the store is down. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../kube/logger.ts';

export interface InsistOptions {
  podUID: string;
  logger: Logger;
  signal: AbortSignal;
}

/** Does it until the store lets it happen. @throws the signal's reason once the capture is stopped. */
export async function insist<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { podUID, logger, signal }: InsistOptions,
): Promise<T> {
  for (let failures = 0; ; failures += 1) {
    try {
      return await work(signal);
    } catch (error) {
      if (signal.aborted) throw error;
      const reason = error instanceof Error ? error.message : 'unknown';
      logger.warn({ podUID, failures, reason }, 'the results store could not be used for a log');
      await sleep(Math.min(10_000, 200 * 2 ** Math.min(failures, 8)), undefined, { signal });
    }
  }
}
