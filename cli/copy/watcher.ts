/** Shows how a running copy goes on. */
import type { Tally } from '../../workers/copy/tally.ts';
import { formatCount, formatDuration } from '../format.ts';
import { formatBar, formatProgressLine, type Progress } from './bar.ts';
import { PaceMeter } from './pace.ts';
import type { Screen } from './screen.ts';

/** Work that is over sooner needs no bar. Milliseconds. */
const firstAfter = 2_000;
const drawEvery = 200;
/** Between lines where there is no terminal. */
const lineEvery = 10_000;

/** What is being done, as far as it is known. */
export interface Watched {
  /** Undefined while it is still being planned. */
  readonly copying: { readonly tally: Tally; readonly totalBytes: number } | undefined;
  /** Keys that were listed so far. */
  readonly listed: number | undefined;
  readonly throttled: number | undefined;
}

/** Looks at `now` until `stop`. */
export function watchCopy(screen: Screen, now: () => Watched): { readonly stop: () => void } {
  const meter = new PaceMeter();
  const start = performance.now();
  let lastLine = start;
  const timer = setInterval(() => {
    const time = performance.now();
    const progress = look(meter, time, now());
    if (time - start < firstAfter) return;
    const planning = `Planning  ${formatDuration((time - start) / 1000)}`;
    if (screen.terminal) {
      screen.draw(
        typeof progress === 'string' ? `${planning}${progress}` : formatBar(progress, screen.columns),
      );
    } else if (time - lastLine >= lineEvery) {
      lastLine = time;
      screen.tell(typeof progress === 'string' ? `${planning}${progress}` : formatProgressLine(progress));
    }
  }, drawEvery);
  return {
    stop: () => {
      clearInterval(timer);
      screen.clear();
    },
  };
}

function look(meter: PaceMeter, time: number, { copying, listed, throttled }: Watched): Progress | string {
  if (copying === undefined) return listed === undefined ? '' : `  ${formatCount(listed)} keys listed`;
  const { tally, totalBytes } = copying;
  const { planned, bytes, failed } = tally.result;
  // What an earlier call did says nothing about the pace of this one.
  const own = { objects: tally.ownObjects, bytes: tally.ownBytes };
  const left = { objects: planned - tally.done, bytes: totalBytes - bytes };
  const total = { objects: own.objects + left.objects, bytes: own.bytes + left.bytes };
  const pace = meter.measure({ time, ...own }, total);
  const objects = { objects: tally.done, totalObjects: planned };
  return { ...objects, bytes, totalBytes, failed, throttled, pace };
}
