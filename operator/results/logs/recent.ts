/** Remembers what was taken of a log in its last seconds, so that reading again from there repeats nothing. */
import { crc32 } from 'node:zlib';

const keyOf = (time: string, frame: Buffer): string => `${time}/${frame.length}/${crc32(frame)}`;

/** The second before the one that `time` is in, as RFC 3339. */
function secondBefore(second: string): string {
  return new Date(Date.parse(`${second}Z`) - 1000).toISOString().slice(0, 19);
}

/**
 * The frames of the newest second and the one before it. pods/log reads from a whole second on; lines of two streams
 * may be swapped by less than a second, which the second one covers.
 */
export class RecentFrames {
  readonly #seconds = new Map<string, Map<string, number>>();
  #newest = '';
  #before = '';

  add(time: string, frame: Buffer): void {
    const second = time.slice(0, 19);
    if (second !== this.#newest) {
      this.#newest = second;
      this.#before = secondBefore(second);
      for (const old of this.#seconds.keys()) if (old < this.#before) this.#seconds.delete(old);
    }
    let frames = this.#seconds.get(second);
    if (frames === undefined) this.#seconds.set(second, (frames = new Map()));
    const key = keyOf(time, frame);
    frames.set(key, (frames.get(key) ?? 0) + 1);
  }

  /** The time to read again from; undefined when nothing was ever taken. */
  get since(): string | undefined {
    return this.#newest === '' ? undefined : `${this.#before}Z`;
  }

  /** What a reader that starts at {@link since} has to leave out. */
  replay(): Replay {
    const counts = new Map<string, number>();
    for (const frames of this.#seconds.values())
      for (const [key, count] of frames) counts.set(key, (counts.get(key) ?? 0) + count);
    return new Replay(counts);
  }
}

/** Frames that are stored or held already; each is to be left out as often as it was seen. */
export class Replay {
  readonly #counts: Map<string, number>;

  constructor(counts: Map<string, number>) {
    this.#counts = counts;
  }

  /** True, once per time it was seen, for a frame that is there already. */
  take(time: string, frame: Buffer): boolean {
    if (this.#counts.size === 0) return false;
    const key = keyOf(time, frame);
    const count = this.#counts.get(key);
    if (count === undefined) return false;
    if (count === 1) this.#counts.delete(key);
    else this.#counts.set(key, count - 1);
    return true;
  }

  get done(): boolean {
    return this.#counts.size === 0;
  }
}
