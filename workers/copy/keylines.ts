import { isUtf8 } from 'node:buffer';

/**
 * A list of keys as it lies in an object: one key per line, in UTF-8. Nothing is trimmed or decoded, because any
 * character may belong to a key; what can hardly be meant is a problem instead.
 */

/** Longest key of S3, in bytes. */
const longestKey = 1024;
const newline = 0x0a;
const carriageReturn = 0x0d;

/** A line of a list: its number from 1, and its key or what is wrong with it. */
export type KeyLine =
  | { readonly line: number; readonly key: string }
  | { readonly line: number; readonly problem: string };

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Cuts blocks of a list into lines. Empty lines count and are left out. Holds at most one key's worth of bytes. */
export class KeyLineReader {
  readonly #pending = Buffer.allocUnsafe(longestKey + 1);
  #length = 0;
  #line = 1;

  /** The lines that end in this block. */
  *read(block: Buffer): Generator<KeyLine, void, undefined> {
    for (let at = 0; at < block.length; ) {
      const found = block.indexOf(newline, at);
      const end = found < 0 ? block.length : found;
      this.#keep(block, at, end);
      if (found >= 0) yield* this.finish();
      at = end + 1;
    }
  }

  /** The last line, where it has no end. */
  *finish(): Generator<KeyLine, void, undefined> {
    const bytes = this.#pending.subarray(0, Math.min(this.#length, this.#pending.length));
    const line = this.#line;
    const tooLong = this.#length > longestKey;
    this.#length = 0;
    this.#line += 1;
    if (bytes.length === 0) return;
    const problem = tooLong ? `has more than ${longestKey} bytes` : judge(bytes, line);
    yield problem === undefined ? { line, key: strictUtf8.decode(bytes) } : { line, problem };
  }

  #keep(block: Buffer, start: number, end: number): void {
    if (this.#length < this.#pending.length) block.copy(this.#pending, this.#length, start, end);
    this.#length += end - start;
  }
}

/** What is wrong with a line that is not empty, if anything. */
function judge(bytes: Buffer, line: number): string | undefined {
  if (bytes.at(-1) === carriageReturn)
    return 'ends with a carriage return: write the list with plain line ends (LF)';
  if (line === 1 && bytes.subarray(0, 3).equals(byteOrderMark))
    return 'starts with a byte order mark: write the list without one';
  return isUtf8(bytes) ? undefined : 'is not UTF-8';
}

const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);
