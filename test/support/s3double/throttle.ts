import { answerError, type Answer } from './answer.ts';
import { toByteString, type ByteString } from './bytestring.ts';
import { isRead, type DoubleRequest } from './request.ts';
import type { Limit } from './setup.ts';

/** What a limit let through and refused, second by second since its first request. */
export interface LimitCounts {
  readonly admitted: readonly number[];
  readonly refused: readonly number[];
}

/** One token bucket. Refused requests take no token. */
export class TokenBucket {
  readonly #limit: Limit;
  readonly #prefix: ByteString;
  readonly #burst: number;
  readonly #now: () => number;
  readonly #admitted: number[] = [];
  readonly #refused: number[] = [];
  #tokens: number;
  #filled: number | undefined;
  #started = 0;

  /** `now` in milliseconds. */
  constructor(limit: Limit, now: () => number = () => performance.now()) {
    this.#limit = limit;
    this.#prefix = toByteString(limit.prefix);
    this.#burst = limit.burst ?? Math.max(1, limit.rate / 10);
    this.#tokens = this.#burst;
    this.#now = now;
  }

  covers({ bucket, key, operation, query }: DoubleRequest): boolean {
    const { bucket: only, requests } = this.#limit;
    if (only !== undefined && only !== bucket) return false;
    if (requests !== 'all' && isRead(operation) !== (requests === 'read')) return false;
    return (key === '' ? (query.get('prefix') ?? '') : key).startsWith(this.#prefix);
  }

  /** The refusal, or undefined where there was a token. */
  take(): Answer | undefined {
    const now = this.#now();
    if (this.#filled === undefined) {
      this.#filled = now;
      this.#started = now;
    }
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#filled) / 1000) * this.#limit.rate);
    this.#filled = now;
    const second = Math.floor((now - this.#started) / 1000);
    if (this.#tokens >= 1) {
      this.#tokens -= 1;
      count(this.#admitted, second);
      return undefined;
    }
    count(this.#refused, second);
    const { status, code, retryAfter } = this.#limit;
    return answerError({ status, code, message: 'Please reduce your request rate.' }, retryAfter);
  }

  get counts(): LimitCounts {
    return { admitted: this.#admitted, refused: this.#refused };
  }
}

function count(seconds: number[], second: number): void {
  while (seconds.length <= second) seconds.push(0);
  seconds[second] = (seconds[second] ?? 0) + 1;
}
