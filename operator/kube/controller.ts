/** A controller: workers that take keys from a queue, reconcile them, and put back what is to be tried again. */
import { randomUUID } from 'node:crypto';
import { type Clock, systemClock } from './clock.ts';
import type { ConsistencyGate } from './consistency.ts';
import type { Key } from './key.ts';
import { type Logger, silentLogger } from './logger.ts';
import { type KubeMetrics, noMetrics } from './metrics.ts';
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
  readonly #name: string;
  readonly #queue: WorkQueue;
  readonly #reconcile: Reconcile;
  readonly #workers: number;
  readonly #gate: ConsistencyGate | undefined;
  readonly #logger: Logger;
  readonly #metrics: KubeMetrics;
  readonly #clock: Clock;
  #active = 0;

  constructor(options: ControllerOptions) {
    this.#name = options.name;
    this.#queue = options.queue;
    this.#reconcile = options.reconcile;
    this.#workers = options.workers ?? 1;
    this.#gate = options.gate;
    this.#logger = (options.logger ?? silentLogger).child({ controller: options.name });
    this.#metrics = options.metrics ?? noMetrics;
    this.#clock = options.clock ?? systemClock;
  }

  /** Works until the signal aborts; resolves when the last reconcile has returned. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = (): void => void this.#queue.shutDown();
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    this.#metrics.activeWorkers(this.#name, 0, this.#workers);
    await Promise.all(Array.from({ length: this.#workers }, () => this.#work(signal)));
    signal.removeEventListener('abort', stop);
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (;;) {
      const key = await this.#queue.take();
      if (key === undefined) return;
      try {
        await this.#attempt(key, signal);
      } finally {
        this.#queue.done(key);
      }
    }
  }

  async #attempt(key: Key, signal: AbortSignal): Promise<void> {
    if (this.#gate !== undefined && !this.#gate.ready(key)) {
      this.#metrics.staleSyncSkip(this.#name);
      return;
    }
    const logger = this.#logger.child({ key, reconcileId: randomUUID() });
    const startedMs = this.#clock.monotonicMs();
    this.#count(1);
    let outcome: 'success' | 'error' | 'requeue_after' = 'success';
    try {
      const result = await this.#reconcile(key, logger, signal);
      this.#queue.forget(key);
      if (result.requeueAfterMs !== undefined) {
        outcome = 'requeue_after';
        this.#queue.addAfter(key, result.requeueAfterMs);
      }
    } catch (error) {
      if (signal.aborted) {
        logger.info({}, 'reconcile stopped by shutdown');
      } else {
        outcome = 'error';
        this.#queue.addRateLimited(key);
        logger.warn(
          { err: error, retries: this.#queue.retries(key) },
          'reconcile failed, will be tried again',
        );
      }
    } finally {
      this.#count(-1);
      this.#metrics.reconcile(this.#name, outcome, (this.#clock.monotonicMs() - startedMs) / 1000);
    }
  }

  #count(change: 1 | -1): void {
    this.#active += change;
    this.#metrics.activeWorkers(this.#name, this.#active, this.#workers);
  }
}
