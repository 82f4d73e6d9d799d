import { Lane, type Traffic } from './lane.ts';

/** What kind of request it is: stores limit readers and writers apart. */
export type Direction = 'read' | 'write';

/** The lanes of one client: one per bucket and direction. */
export class Lanes {
  readonly #lanes = new Map<string, Record<Direction, Lane>>();

  of(bucket: string, direction: Direction): Lane {
    let both = this.#lanes.get(bucket);
    if (both === undefined) {
      both = { read: new Lane(), write: new Lane() };
      this.#lanes.set(bucket, both);
    }
    return both[direction];
  }

  /** Of all lanes together. */
  get traffic(): Traffic {
    let sent = 0;
    let throttled = 0;
    for (const { read, write } of this.#lanes.values()) {
      sent += read.traffic.sent + write.traffic.sent;
      throttled += read.traffic.throttled + write.traffic.throttled;
    }
    return { sent, throttled };
  }
}
