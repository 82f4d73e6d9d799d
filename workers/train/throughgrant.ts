import { setTimeout as sleep } from 'node:timers/promises';
import { WorkerApiError } from '../api/errors.ts';
import { waitBefore } from '../api/retry.ts';

/** How a document of the results store is moved. Times are milliseconds. */
export interface GrantedTransfer<G, T> {
  /** Asks the operator for a fresh grant. */
  readonly renew: (patience: number) => Promise<G>;
  readonly transfer: (grant: G, patience: number) => Promise<T>;
  /** How long a store that is away, or refuses, is tried again. */
  readonly patience: number;
}

/**
 * Moves a document through a grant. A store that refuses may have its reasons in the grant, which has died or was
 * signed with credentials that were replaced since; or its bucket is missing, or its policy wrong, until somebody puts
 * that right. Hours of work are not thrown away for either: it is tried again, with a fresh grant, within the bound.
 * @throws WorkerApiError, of the last refusal or of the operator, or the signal's reason.
 */
export async function throughGrant<G, T>(
  first: G,
  { renew, transfer, patience }: GrantedTransfer<G, T>,
  signal: AbortSignal,
): Promise<T> {
  const end = performance.now() + patience;
  const left = (): number => Math.max(0, end - performance.now());
  let grant = first;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await transfer(grant, left());
    } catch (error) {
      if (!(error instanceof WorkerApiError)) throw error;
      if (error.code !== 'GrantRefused' && error.code !== 'StoreRefused') throw error;
      // The first time it is most likely the grant that has died, and a new one helps at once.
      const wait = attempt === 0 && error.code === 'GrantRefused' ? 0 : waitBefore(attempt, error.retryAfter);
      if (wait > left()) throw error;
      await sleep(wait, undefined, { signal }).catch(() => {
        throw signal.reason;
      });
    }
    grant = await renew(left());
  }
}
