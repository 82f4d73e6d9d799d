/** Sentences for status: bounded in bytes, cut at a character. Pure. */
import { MAX_MESSAGE_BYTES } from '../api/status.ts';

/** The text within the longest message that status takes. Control characters become spaces: words of others are hostile. */
export function clip(text: string, bytes = MAX_MESSAGE_BYTES): string {
  const clean = text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();
  if (Buffer.byteLength(clean) <= bytes) return clean;
  const cut = Buffer.from(clean)
    .subarray(0, bytes - 3)
    .toString('utf8');
  return `${cut.replace(/\uFFFD+$/, '')}…`;
}

/** `1 object`, `2 objects`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
