/** Requests per second at the start. */
const initialRate = 250;
/** In slow start the rate doubles in this time, if all requests succeed. Seconds. */
const doubling = 0.1;
/** Refusals within this time of a decrease belong to what the decrease is for. Milliseconds. */
const patience = 200;
/** What a congestion event leaves of the rate; where the store refuses more than that, what it admits, if that is known. */
const decrease = 0.9;
const deepestDecrease = 0.5;
const leastKnown = 10;
/** So much of the rate before a decrease is won back soon, because it was borne for long. Seconds that this takes. */
const knownGood = 0.96;
const recovery = 2;
/** After so many seconds without a refusal the growth has doubled; then it is faster and faster. */
const quietTime = 5;
const lowestRate = 1;
const highestRate = 100_000;

/**
 * How many requests per second one client may send so that a store that limits rates is used in full and refuses next
 * to nothing: slow start, then additive increase and multiplicative decrease. Several clients share a limit fairly
 * without knowing of each other, because the increase goes with the square root of the rate and the decrease with the
 * rate itself. It grows by successes and not by time, so that a store that stalls does not let it run away. Times are
 * milliseconds of the caller's clock.
 */
export class RateController {
  #rate = initialRate;
  #starting = true;
  /** The rate at the last congestion event. */
  #ceiling = 0;
  #decreasedAt = Number.NEGATIVE_INFINITY;
  /** What became of the requests that were sent at the present rate. */
  #succeeded = 0;
  #refused = 0;

  /** Requests per second. */
  get rate(): number {
    return this.#rate;
  }

  /** A request sent at `sentAt` succeeded. The rate grows only while it holds requests back: else nothing is known of more. */
  succeed(now: number, sentAt: number, holding: boolean): void {
    if (sentAt > this.#decreasedAt) this.#succeeded += 1;
    if (!holding) return;
    const grown = this.#starting
      ? this.#rate + Math.LN2 / doubling
      : this.#rate + this.#growth(now) / this.#rate;
    this.#rate = Math.min(highestRate, grown);
  }

  /**
   * The store refused a request that was sent at `sentAt`. Requests that were under way when the rate was decreased
   * say nothing new. Returns whether this was a congestion event of its own.
   */
  refuse(now: number, sentAt: number): boolean {
    if (sentAt <= this.#decreasedAt) return false;
    this.#refused += 1;
    if (now - this.#decreasedAt < patience) return false;
    this.#ceiling = this.#rate;
    this.#rate = Math.max(lowestRate, this.#rate * this.#remainder());
    this.#starting = false;
    this.#decreasedAt = now;
    this.#succeeded = 0;
    this.#refused = 0;
    return true;
  }

  #remainder(): number {
    const known = this.#succeeded + this.#refused;
    if (this.#starting || known < leastKnown) return decrease;
    return Math.min(decrease, Math.max(deepestDecrease, this.#succeeded / known));
  }

  /** Requests per second, per second. */
  #growth(now: number): number {
    const quiet = (now - this.#decreasedAt) / 1000 / quietTime;
    const probing = Math.min(0.5 * Math.sqrt(this.#rate), 0.03 * this.#rate) * (1 + quiet ** 2);
    return probing + Math.max(0, knownGood * this.#ceiling - this.#rate) / recovery;
  }
}
