/** One line that says how far a piece of work is. Pure. */
import { formatBytes, formatCount, formatDuration } from '../format.ts';
import type { Pace } from '../../workers/copy/pace.ts';

export interface Progress {
  readonly objects: number;
  readonly totalObjects: number;
  /** Of the objects to copy; undefined where bytes say nothing. */
  readonly bytes: number | undefined;
  readonly totalBytes: number | undefined;
  readonly failed: number;
  /** Share of the requests that the store throttled lately, from 0 to 1. */
  readonly throttled: number | undefined;
  readonly pace: Pace;
}

/** What fits into `columns`: a bar, and behind it the figures, of which the last ones are left out first. */
export function formatBar(progress: Progress, columns: number): string {
  const figures = figuresOf(progress);
  let text = '';
  for (const figure of figures) {
    const longer = text === '' ? figure : `${text}  ${figure}`;
    if (longer.length > columns - 1) break;
    text = longer;
  }
  const room = Math.min(30, columns - 1 - text.length - 4);
  if (room < 8) return text;
  const filled = Math.floor(room * shareOf(progress));
  return `[${'#'.repeat(filled)}${'.'.repeat(room - filled)}]  ${text}`;
}

/** The same without a bar, for a line of a log. */
export function formatProgressLine(progress: Progress): string {
  return figuresOf(progress).join(', ');
}

function figuresOf({
  objects,
  totalObjects,
  bytes,
  totalBytes,
  failed,
  throttled,
  pace,
}: Progress): string[] {
  const figures = [`${formatCount(objects)}/${formatCount(totalObjects)} objects`];
  if (failed > 0) figures.push(`${formatCount(failed)} failed`);
  figures.push(`${formatCount(Math.round(pace.objectsPerSecond))}/s`);
  figures.push(pace.secondsLeft === undefined ? 'ETA -' : `ETA ${formatDuration(pace.secondsLeft)}`);
  if (bytes !== undefined && totalBytes !== undefined) {
    figures.push(`${formatBytes(bytes)} of ${formatBytes(totalBytes)}`);
    figures.push(`${formatBytes(Math.round(pace.bytesPerSecond))}/s`);
  }
  if (throttled !== undefined && throttled > 0) figures.push(`throttled ${(throttled * 100).toFixed(1)} %`);
  return figures;
}

/** By what is left to do, where bytes are known, else by objects alone. */
function shareOf({ objects, totalObjects, bytes, totalBytes }: Progress): number {
  const byObjects = totalObjects === 0 ? 1 : objects / totalObjects;
  const byBytes = bytes === undefined || !totalBytes ? byObjects : bytes / totalBytes;
  return Math.min(1, Math.max(0, (byObjects + byBytes) / 2));
}
