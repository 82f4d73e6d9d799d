/** How fast a copy goes and when it will be done. Pure but for what it is told. */
import { OBJECT_BYTES } from './deal.ts';

/** One look at the work. */
export interface Sample {
  /** Milliseconds, of any clock that only goes forward. */
  readonly time: number;
  readonly objects: number;
  readonly bytes: number;
}

export interface Pace {
  readonly objectsPerSecond: number;
  readonly bytesPerSecond: number;
  /** Until everything is done; undefined while nothing moves. */
  readonly secondsLeft: number | undefined;
}

/** Looks back this far, in milliseconds: long enough to be calm, short enough to follow a change. */
const window = 10_000;

/** Keeps the samples of the last seconds. */
export class PaceMeter {
  readonly #samples: Sample[] = [];

  /** Takes a sample and says how fast it goes towards `total`. */
  measure(sample: Sample, total: { readonly objects: number; readonly bytes: number }): Pace {
    this.#samples.push(sample);
    // The last sample before the window is its left end.
    while ((this.#samples[1]?.time ?? sample.time) < sample.time - window) this.#samples.shift();
    const [first = sample] = this.#samples;
    const seconds = (sample.time - first.time) / 1000;
    if (seconds === 0) return { objectsPerSecond: 0, bytesPerSecond: 0, secondsLeft: undefined };
    const weightPerSecond = (weigh(sample) - weigh(first)) / seconds;
    const left = Math.max(0, weigh(total) - weigh(sample));
    return {
      objectsPerSecond: (sample.objects - first.objects) / seconds,
      // Parts of an object that failed are gone again.
      bytesPerSecond: Math.max(0, (sample.bytes - first.bytes) / seconds),
      secondsLeft: weightPerSecond > 0 ? left / weightPerSecond : undefined,
    };
  }
}

function weigh({ objects, bytes }: { readonly objects: number; readonly bytes: number }): number {
  return objects + bytes / OBJECT_BYTES;
}
