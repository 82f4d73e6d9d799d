/** The words of others in one bounded line, and which of their Events is the newest. Pure. */
import { MAX_MESSAGE_BYTES } from '../api/status.ts';
import { cutToBytes } from '../kube/text.ts';
import { type EventView, timeOf } from './views.ts';

const ELLIPSIS = '…';

/** The text on one line, within so many bytes of UTF-8; a cut is shown by an ellipsis and never splits a character. */
export function cutText(text: string, maxBytes: number = MAX_MESSAGE_BYTES): string {
  const line = text.replace(/\s+/g, ' ').trim();
  if (Buffer.byteLength(line) <= maxBytes) return line;
  return `${cutToBytes(line, maxBytes - Buffer.byteLength(ELLIPSIS)).trimEnd()}${ELLIPSIS}`;
}

/** Texts of different speakers in one line: a short one leaves its room to the long ones. */
export function joinWords(texts: readonly string[], maxBytes: number = MAX_MESSAGE_BYTES): string {
  const separator = '; ';
  const unique = [...new Set(texts.map((text) => text.replace(/\s+/g, ' ').trim()))].filter(
    (text) => text !== '',
  );
  const shares = new Map<string, number>();
  let room = maxBytes - separator.length * Math.max(0, unique.length - 1);
  const shortestFirst = unique.toSorted((a, b) => Buffer.byteLength(a) - Buffer.byteLength(b));
  for (const [position, text] of shortestFirst.entries()) {
    const share = Math.min(Buffer.byteLength(text), Math.floor(room / (shortestFirst.length - position)));
    shares.set(text, share);
    room -= share;
  }
  return unique.map((text) => cutText(text, shares.get(text))).join(separator);
}

/** When an event was last seen, in milliseconds since 1970, whichever API it was written through. */
export function eventTime(event: EventView): number {
  return (
    timeOf(event.lastTimestamp) ??
    timeOf(event.eventTime) ??
    timeOf(event.firstTimestamp) ??
    timeOf(event.metadata.creationTimestamp) ??
    0
  );
}

/** Who wrote an event. */
export function speaker(event: EventView): string {
  return event.reportingComponent || event.source?.component || '';
}

/** The newest of the events that fit. */
export function newest<E extends EventView>(
  events: readonly E[],
  fits: (event: E) => boolean,
): E | undefined {
  let found: E | undefined;
  for (const event of events)
    if (fits(event) && (found === undefined || eventTime(event) >= eventTime(found))) found = event;
  return found;
}
