import type { Clock } from './clock.ts';
import type { ConsistencyGate } from './consistency.ts';
import type { Key } from './key.ts';
import type { Logger } from './logger.ts';
import type { KubeMetrics } from './metrics.ts';
import type { WorkQueue } from './workqueue.ts';

/** What a reconcile asks for: nothing, or another look after a while. Back-off is for errors only. */
export interface ReconcileResult {
  requeueAfterMs?: number;
}

/**
 * Brings the world of one key closer to what it should be. Level-triggered: it reads everything anew. The logger
 * carries the key and the reconcileId of this attempt.
 */
export type Reconcile = (key: Key, logger: Logger, signal: AbortSignal) => Promise<ReconcileResult>;

/** An error that trying again cannot cure: counted and logged, not retried until the key is added anew. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError';
  readonly code = 'KUBE_TERMINAL';
}

export interface ControllerOptions {
  name: string;
  queue: WorkQueue;
  reconcile: Reconcile;
  /** Keys worked on at once; 1 unless given. */
  workers?: number;
  gate?: ConsistencyGate;
  logger?: Logger;
  metrics?: KubeMetrics;
  clock?: Clock;
}

/** Workers over a queue. */
export class Controller {
  constructor(_options: ControllerOptions) {
    throw new Error('not written yet');
  }
  /** Works until the signal aborts; resolves when the last reconcile has returned. */
  run(_signal: AbortSignal): Promise<void> {
    throw new Error('not written yet');
  }
}
