/**
 * When the chunk that fills is cut. A hundredth of the log so far, in time and in bytes: short chunks while a log is
 * young, and so few of an old one that its index stays small, however long it goes on. Pure.
 */

/** Shortest and longest time that a byte waits before it is sent, in milliseconds. What waits is shown all the same. */
export const CUT_AFTER_MS = 3_000;
const LONGEST_MS = 120_000;

/** Smallest and largest raw bytes at which a chunk is full. Whoever reads many logs at once holds one chunk of each. */
export const CUT_BYTES = 1024 * 1024;
const LARGEST_BYTES = 4 * CUT_BYTES;

/** Of a log whose first line is of `begun`, for a chunk whose first line is of `time`; both RFC 3339. */
export function cutAfterMs(begun: string, time: string): number {
  const age = Date.parse(time) - Date.parse(begun);
  return Math.min(LONGEST_MS, Math.max(CUT_AFTER_MS, age / 100));
}

/** Of a log of which so many raw bytes are stored. */
export function cutBytes(stored: number): number {
  return Math.min(LARGEST_BYTES, Math.max(CUT_BYTES, Math.floor(stored / 100)));
}
