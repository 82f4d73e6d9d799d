/** The time limit of one call, together with the signal of its caller. */
import type { Clock } from './clock.ts';
import { KubeTimeoutError } from './errors.ts';

/** The deadline of a call, unless it says otherwise, in milliseconds. */
export const defaultDeadlineMs = 10_000;

/** A signal that aborts with the outer signal or at a time limit, and leaves no timer or listener behind. */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #clock: Clock;
  readonly #outer: AbortSignal | undefined;
  readonly #onOuterAbort = (): void => this.#controller.abort(this.#outer?.reason);
  #endsAtMs = Number.POSITIVE_INFINITY;
  #cancel: () => void = () => undefined;

  constructor(clock: Clock, outer: AbortSignal | undefined) {
    this.#clock = clock;
    this.#outer = outer;
    if (outer?.aborted === true) this.#onOuterAbort();
    outer?.addEventListener('abort', this.#onOuterAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Milliseconds until the limit set last; may be negative, infinite without a limit. */
  get remainingMs(): number {
    return this.#endsAtMs - this.#clock.monotonicMs();
  }

  /** Sets the limit to `ms` from now, in place of the one before. `what` completes the error's message. */
  set(ms: number, what: string): void {
    this.#cancel();
    this.#endsAtMs = this.#clock.monotonicMs() + ms;
    this.#cancel = this.#clock.after(ms, () =>
      this.#controller.abort(new KubeTimeoutError(`${what} within ${Math.round(ms)} ms`)),
    );
  }

  /** Takes the limit away; the outer signal still counts. */
  clear(): void {
    this.#cancel();
    this.#endsAtMs = Number.POSITIVE_INFINITY;
  }

  /** Ends everything that may still run under this signal, and lets go of timer and listener. */
  close(): void {
    this.#cancel();
    this.#outer?.removeEventListener('abort', this.#onOuterAbort);
    if (!this.#controller.signal.aborted) this.#controller.abort(new Error('the call is over'));
  }
}
