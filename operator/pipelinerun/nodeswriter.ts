/** Stores `nodes.json`, and insists: nobody else knows the final figures about the nodes of a run. */
import { Backoff } from '../kube/backoff.ts';
import { type Clock, sleep } from '../kube/clock.ts';
import { Limiter } from '../kube/limiter.ts';
import type { Logger } from '../kube/logger.ts';
import type { NodesRecord } from '../nodes/record.ts';
import type { Results } from '../results/types.ts';

/** How long a refusing store is tried: as long as the nodes themselves were waited for at most. In milliseconds. */
const PATIENCE_MS = 30 * 60_000;
const BACKOFF = { baseMs: 1_000, maxMs: 60_000, resetMs: Infinity };
/** Records written at once: after a restart every run that is over is asked for. */
const AT_ONCE = 4;
/** Of one try, in milliseconds. */
const TRY_MS = 60_000;

export interface NodesWriterOptions {
  results: Pick<Results, 'writeNodes'>;
  clock: Clock;
  log: Logger;
  random?: () => number;
}

export class NodesWriter {
  readonly #options: NodesWriterOptions;
  readonly #places = new Limiter(AT_ONCE);
  readonly #stop = new AbortController();

  constructor(options: NodesWriterOptions) {
    this.#options = options;
  }

  /** Resolves when the record is stored, or there is one and it is `ifMissing`; and when it was given up or stopped. */
  async write(namespace: string, record: NodesRecord, ifMissing: boolean): Promise<void> {
    const { results, clock, log, random = Math.random } = this.#options;
    const { signal } = this.#stop;
    const run = { namespace, uid: record.runUID };
    const backoff = new Backoff(BACKOFF, clock, random);
    const end = clock.monotonicMs() + PATIENCE_MS;
    while (!signal.aborted) {
      try {
        await this.#places.run(
          () =>
            results.writeNodes(
              run,
              { ...record },
              { ifMissing, signal: AbortSignal.any([signal, AbortSignal.timeout(TRY_MS)]) },
            ),
          signal,
        );
        return;
      } catch (error) {
        if (signal.aborted) return;
        const wait = backoff.next();
        if (clock.monotonicMs() + wait > end) {
          log.warn({ run: record.runUID, err: error }, 'The final figures about nodes could not be stored');
          return;
        }
        await sleep(wait, clock, signal).catch(() => undefined);
      }
    }
  }

  /** Gives up what is not stored: after a restart it is asked for again. */
  stop(): void {
    this.#stop.abort(new Error('the operator stops'));
  }
}
