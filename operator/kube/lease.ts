import type { KubeClient } from './client.ts';
import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';
import type { KubeMetrics } from './metrics.ts';

export interface LeaderElectorOptions {
  client: KubeClient;
  namespace: string;
  /** Name of the Lease. */
  name: string;
  /** Unique per process, such as `<pod name>_<random>`. */
  identity: string;
  /** How long others wait for us after our last renewal, in milliseconds; 15,000 unless given. */
  leaseDurationMs?: number;
  /** How long we try to renew before we give up leading; 10,000 unless given. */
  renewDeadlineMs?: number;
  /** Between tries; 2,000 unless given. */
  retryPeriodMs?: number;
  logger?: Logger;
  metrics?: KubeMetrics;
  clock?: Clock;
  random?: () => number;
}

/** Leadership was lost; the process should end and start anew. */
export class LeadershipLostError extends Error {
  override readonly name = 'LeadershipLostError';
  readonly code = 'KUBE_LEADERSHIP_LOST';
}

/**
 * Leader election on a Lease. It saves work, it does not guarantee a single actor: correctness comes from names and
 * optimistic concurrency.
 */
export class LeaderElector {
  constructor(_options: LeaderElectorOptions) {
    throw new Error('not written yet');
  }
  get isLeader(): boolean {
    throw new Error('not written yet');
  }
  /**
   * Waits to become the leader, then runs `lead` with a signal that aborts when leadership is lost or `signal`
   * aborts. After an abort from outside it waits for `lead`, gives the Lease back and resolves; after a loss it
   * rejects with LeadershipLostError.
   */
  run(_lead: (signal: AbortSignal) => Promise<void>, _signal: AbortSignal): Promise<void> {
    throw new Error('not written yet');
  }
}
