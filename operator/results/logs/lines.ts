/** Takes the body of pods/log apart: lines with their time in front, however the bytes arrive. */
import { canonicalTime, MAX_FRAME_BYTES } from '../../../workers/contract/logframes.ts';

/** Longest part of a line that is looked at as a whole. */
const PIECE_BYTES = 16 * MAX_FRAME_BYTES;

/** The longest prefix that may be a time: nanoseconds and a zone. */
const MAX_TIME_LENGTH = 36;

export interface LinePiece {
  /** Undefined for a line that does not begin with a time: not a log, but a sentence about one. */
  time: string | undefined;
  /** Latin-1: one character per byte. Without time and newline. */
  text: string;
  /** The line ends here. */
  end: boolean;
}

/**
 * Cuts a byte stream into lines, and lines longer than {@link PIECE_BYTES} into pieces of exactly that size. Where it
 * cuts depends on the bytes alone, not on how they arrived: reading again gives the same pieces.
 */
export class LineSplitter {
  #text = '';
  /** The time of the line whose first pieces are out already. */
  #time: string | undefined;
  #inLine = false;

  push(bytes: Uint8Array): LinePiece[] {
    const pieces: LinePiece[] = [];
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
    let at = 0;
    for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', at)) {
      this.#text += chunk.slice(at, end);
      this.#cut(pieces);
      pieces.push(this.#finish());
      at = end + 1;
    }
    this.#text += chunk.slice(at);
    this.#cut(pieces);
    return pieces;
  }

  /** The unfinished line at the end of the stream; undefined when there is none. */
  end(): LinePiece | undefined {
    return this.#text === '' && !this.#inLine ? undefined : { ...this.#finish(), end: false };
  }

  #finish(): LinePiece {
    this.#open();
    const piece = { time: this.#time, text: this.#text, end: true };
    this.#text = '';
    this.#inLine = false;
    this.#time = undefined;
    return piece;
  }

  /** Takes the time off the front of a line. */
  #open(): void {
    if (this.#inLine) return;
    this.#inLine = true;
    const space = this.#text.slice(0, MAX_TIME_LENGTH + 1).indexOf(' ');
    // A line without content may come without the space.
    const head = space < 0 ? this.#text : this.#text.slice(0, space);
    this.#time = head.length > MAX_TIME_LENGTH ? undefined : canonicalTime(head);
    if (this.#time !== undefined) this.#text = space < 0 ? '' : this.#text.slice(space + 1);
  }

  #cut(pieces: LinePiece[]): void {
    while (this.#text.length > PIECE_BYTES + MAX_TIME_LENGTH + 1) {
      this.#open();
      pieces.push({ time: this.#time, text: this.#text.slice(0, PIECE_BYTES), end: false });
      this.#text = this.#text.slice(PIECE_BYTES);
    }
  }
}
