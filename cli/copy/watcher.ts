/** Shows how a running copy goes on. */
import type { Tally } from '../../workers/copy/tally.ts';
import { formatCount, formatDuration } from '../format.ts';
import { formatBar, formatProgressLine, type Progress } from './bar.ts';
import { PaceMeter } from '../../workers/copy/pace.ts';
import type { Screen } from './screen.ts';

/** Work that is over sooner needs no bar. Milliseconds. */
const firstAfter = 2_000;
const drawEvery = 200;
/** Between lines where there is no terminal. */
const lineEvery = 10_000;

/**
 * Shows what `look` says, until `stop`: drawn over and over on a terminal, else as a line now and then. `look` gets a
 * clock in milliseconds, and the room there is on a terminal.
 */
export function watch(
  screen: Screen,
  look: (time: number, columns: number | undefined) => string,
): { readonly stop: () => void } {
  const start = performance.now();
  let lastLine = start;
  const timer = setInterval(() => {
    const time = performance.now();
    const text = look(time, screen.terminal ? screen.columns : undefined);
    if (time - start < firstAfter) return;
    if (screen.terminal) {
      screen.draw(text);
    } else if (time - lastLine >= lineEvery) {
      lastLine = time;
      screen.tell(text);
    }
  }, drawEvery);
  return {
    stop: () => {
      clearInterval(timer);
      screen.clear();
    },
  };
}

/** What is being done, as far as it is known. */
export interface Watched {
  /** Undefined while it is still being planned. */
  readonly copying: { readonly tally: Tally; readonly totalBytes: number } | undefined;
  /** Keys that were listed so far. */
  readonly listed: number | undefined;
  readonly throttled: number | undefined;
}

/** Shows the planning and then the copying that `now` tells of. */
export function watchCopy(screen: Screen, now: () => Watched): { readonly stop: () => void } {
  const meter = new PaceMeter();
  const start = performance.now();
  return watch(screen, (time, columns) => {
    const { copying, listed, throttled } = now();
    if (copying === undefined) {
      const keys = listed === undefined ? '' : `  ${formatCount(listed)} keys listed`;
      return `Planning  ${formatDuration((time - start) / 1000)}${keys}`;
    }
    const progress = progressOf(meter, time, copying, throttled);
    return columns === undefined ? formatProgressLine(progress) : formatBar(progress, columns);
  });
}

function progressOf(
  meter: PaceMeter,
  time: number,
  { tally, totalBytes }: NonNullable<Watched['copying']>,
  throttled: number | undefined,
): Progress {
  const { planned, failed } = tally.result;
  const { bytes, own } = tally;
  // What an earlier call did says nothing about the pace of this one.
  const left = { objects: planned - tally.done, bytes: totalBytes - bytes };
  const total = { objects: own.objects + left.objects, bytes: own.bytes + left.bytes };
  const pace = meter.measure({ time, ...own }, total);
  return { objects: tally.done, totalObjects: planned, bytes, totalBytes, failed, throttled, pace };
}
