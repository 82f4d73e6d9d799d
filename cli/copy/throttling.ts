/** Which share of its requests a store refused lately for being too many. Pure but for what it is told. */
import type { Traffic } from '../../workers/s3/lane.ts';

/** Looks back this far, in milliseconds. */
const window = 10_000;

type Look = Traffic & { readonly time: number };

export class ThrottleMeter {
  readonly #looks: Look[] = [];

  /** Takes in the counts of all clients and says the share, from 0 to 1; undefined while nothing was sent. */
  measure(time: number, clients: Iterable<{ readonly traffic: Traffic }>): number | undefined {
    let [sent, throttled] = [0, 0];
    for (const { traffic } of clients) {
      sent += traffic.sent;
      throttled += traffic.throttled;
    }
    this.#looks.push({ time, sent, throttled });
    // The last look before the window is its left end.
    while ((this.#looks[1]?.time ?? time) < time - window) this.#looks.shift();
    const [first = { sent, throttled }] = this.#looks;
    return sent === first.sent ? undefined : (throttled - first.throttled) / (sent - first.sent);
  }
}
