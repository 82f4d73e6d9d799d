/**
 * How long the pieces of work that have begun and not ended have been going on. Only begin and end with a duration
 * are known, so an end is matched with the begin that fits the duration best.
 */
export class WorkInHand {
  readonly #begins = new Map<string, number[]>();
  readonly #monotonicMs: () => number;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  began(queue: string): void {
    const begins = this.#begins.get(queue);
    if (begins === undefined) this.#begins.set(queue, [this.#monotonicMs()]);
    else begins.push(this.#monotonicMs());
  }

  ended(queue: string, seconds: number): void {
    const begins = this.#begins.get(queue) ?? [];
    const wanted = this.#monotonicMs() - seconds * 1000;
    let best = -1;
    let bestDistance = Number.POSITIVE_INFINITY;
    for (const [position, begin] of begins.entries()) {
      const distance = Math.abs(begin - wanted);
      if (distance < bestDistance) [best, bestDistance] = [position, distance];
    }
    if (best !== -1) begins.splice(best, 1);
  }

  /** Per queue, seconds: the sum over the work in hand, and the longest of it. */
  *figures(): Generator<[queue: string, { sum: number; longest: number }]> {
    const now = this.#monotonicMs();
    for (const [queue, begins] of this.#begins) {
      const seconds = begins.map((begin) => (now - begin) / 1000);
      yield [queue, { sum: seconds.reduce((sum, one) => sum + one, 0), longest: Math.max(0, ...seconds) }];
    }
  }
}
