import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkerApi } from '../api/client.ts';

/** The stage's Job did not get the workers that the plan has shards for. */
export class NotGrown extends Error {
  override readonly name = 'NotGrown';
  readonly code = 'NotGrown';
}

/** Milliseconds between two words to an operator that has not grown the Job yet, while there is work to do anyway. */
const sayEvery = 10_000;
/** The same when only that is waited for, at first and at most. */
const firstPause = 100;
const longestPause = 5_000;
/** An operator that restarts on a new node is away for a minute or two. */
const defaultPatience = 10 * 60_000;

/**
 * Worker 0's part in the growth of its stage. It says how many workers the plan has shards for until the Job has that
 * many, and does not end before: with its end the Job would be complete, and the other shards would never be copied.
 */
export class Growth {
  readonly #api: Pick<WorkerApi, 'planned'>;
  readonly #signal: AbortSignal;
  readonly #patience: number;
  #wanted = 1;
  #grown = true;
  #timer: NodeJS.Timeout | undefined;

  /** `patience`: milliseconds for which the operator is waited for in the end. */
  constructor(
    api: Pick<WorkerApi, 'planned'>,
    signal: AbortSignal,
    { patience = defaultPatience }: { readonly patience?: number } = {},
  ) {
    this.#api = api;
    this.#signal = signal;
    this.#patience = patience;
  }

  /** The plan is stored, for so many workers. */
  begin(workers: number): void {
    if (workers <= 1) return;
    this.#wanted = workers;
    this.#grown = false;
    const say = (): void => void this.#say();
    say();
    this.#timer = setInterval(say, sayEvery);
  }

  /** Waits until the Job has its workers. @throws NotGrown, or the signal's reason. */
  async confirm(stop: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([stop, this.#signal]);
    const until = Date.now() + this.#patience;
    for (let pause = firstPause; ; pause = Math.min(2 * pause, longestPause)) {
      signal.throwIfAborted();
      if (this.#grown || (await this.#say())) return;
      if (Date.now() >= until) {
        const seconds = Math.round(this.#patience / 1000);
        throw new NotGrown(`the operator did not give the stage its ${this.#wanted} workers in ${seconds} s`);
      }
      await sleep(pause, undefined, { signal });
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Whether the Job has grown. An operator that is away hears it the next time. */
  async #say(): Promise<boolean> {
    try {
      const workers = await this.#api.planned(this.#wanted, this.#signal, { patience: 0 });
      this.#grown ||= workers >= this.#wanted;
    } catch {
      // Said again.
    }
    if (this.#grown) this.stop();
    return this.#grown;
  }
}
