import { RateController } from './aimd.ts';
import { Waiter } from './waiter.ts';

/** How many requests went out to the store, and how many of them it refused for being too many. */
export interface Traffic {
  readonly sent: number;
  readonly throttled: number;
}

/** So much of a second's requests may go out at once, after a pause of ours. */
const burst = 0.05;

/**
 * The way of one client to one bucket, for reading or for writing. Requests pass in order, no faster than what the
 * store was seen to bear. Times are milliseconds of `performance.now()`.
 */
export class Lane {
  readonly #now: () => number;
  readonly #controller = new RateController();
  readonly #waiting: Waiter[] = [];
  #tokens = 1;
  #filledAt: number;
  /** The store asked for silence until then. */
  #silentUntil = 0;
  #timer: NodeJS.Timeout | undefined;
  #sent = 0;
  #throttled = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#filledAt = now();
  }

  get traffic(): Traffic {
    return { sent: this.#sent, throttled: this.#throttled };
  }

  /** Requests per second that may go out now. */
  get rate(): number {
    return this.#controller.rate;
  }

  /** Undefined where the request may go out at once, else what it has to wait for. */
  enter(signal: AbortSignal): Promise<void> | undefined {
    if (this.#waiting.length === 0 && this.#takeToken()) return undefined;
    const waiter = new Waiter(signal, () => this.#clear());
    if (waiter.gone) return waiter.admitted;
    this.#waiting.push(waiter);
    this.#schedule();
    return waiter.admitted;
  }

  /** The store did what a request sent at `sentAt` asked. */
  succeeded(sentAt: number): void {
    this.#controller.succeed(this.#now(), sentAt, this.#waiting.length > 0);
  }

  /** The store refused a request sent at `sentAt`; it may ask for silence, in milliseconds. */
  refused(sentAt: number, retryAfter: number | undefined): void {
    const now = this.#now();
    this.#throttled += 1;
    this.#controller.refuse(now, sentAt);
    if (retryAfter !== undefined) this.#silentUntil = Math.max(this.#silentUntil, now + retryAfter);
  }

  #takeToken(): boolean {
    const now = this.#now();
    const { rate } = this.#controller;
    const gained = ((now - this.#filledAt) / 1000) * rate;
    this.#tokens = Math.min(1 + rate * burst, this.#tokens + gained);
    this.#filledAt = now;
    if (this.#tokens < 1 || now < this.#silentUntil) return false;
    this.#tokens -= 1;
    this.#sent += 1;
    return true;
  }

  #schedule(): void {
    if (this.#timer !== undefined) return;
    const forToken = ((1 - this.#tokens) / this.#controller.rate) * 1000;
    const forStore = this.#silentUntil - this.#now();
    this.#timer = setTimeout(() => this.#admit(), Math.max(1, forToken, forStore));
  }

  /** Nobody waits any more: a timer would only keep the process alive. */
  #clear(): void {
    if (this.#waiting.some((waiter) => !waiter.gone)) return;
    this.#waiting.length = 0;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #admit(): void {
    this.#timer = undefined;
    let admitted = 0;
    for (const waiter of this.#waiting) {
      if (!waiter.gone) {
        if (!this.#takeToken()) break;
        waiter.admit();
      }
      admitted += 1;
    }
    this.#waiting.splice(0, admitted);
    if (this.#waiting.length > 0) this.#schedule();
  }
}
