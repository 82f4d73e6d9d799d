/** Sentences for status: bounded in bytes, cut at a character. Pure. */
import { MAX_MESSAGE_BYTES } from '../api/status.ts';
import { cutToBytes } from '../kube/text.ts';

const ELLIPSIS_BYTES = Buffer.byteLength('…');

/** The text within the longest message that status takes. Control characters become spaces: words of others are hostile. */
export function clip(text: string, bytes = MAX_MESSAGE_BYTES): string {
  const clean = text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();
  if (Buffer.byteLength(clean) <= bytes) return clean;
  return `${cutToBytes(clean, bytes - ELLIPSIS_BYTES)}…`;
}

/** Longest status, in bytes of JSON. */
export const MAX_STATUS_BYTES = 64 * 1024;
/** Bytes that everything about one stage but its message may take, and everything about the run but its stages. */
const STAGE_BYTES = 490;
const RUN_BYTES = 5_500;

/** The message of one of so many stages: where there are very many, each gets fewer words, so that status stays bounded. */
export function clipStage(text: string, stages: number): string {
  const room = Math.floor((MAX_STATUS_BYTES - RUN_BYTES) / stages) - STAGE_BYTES;
  const limit = Math.min(room, 2 * MAX_MESSAGE_BYTES);
  let clipped = clip(text);
  // Quotes take two bytes in JSON, so what counts is the length there.
  for (let over = jsonBytes(clipped) - limit; over > 0; over = jsonBytes(clipped) - limit)
    clipped = clip(clipped, Math.max(3, Buffer.byteLength(clipped) - Math.ceil(over / 2)));
  return clipped;
}

const jsonBytes = (text: string): number => Buffer.byteLength(JSON.stringify(text)) - 2;

/** `1 object`, `2 objects`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
