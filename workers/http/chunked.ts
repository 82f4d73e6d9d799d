import { ProtocolError } from './head.ts';

const CR = 13;
const LF = 10;
/** Longest line of a chunk's size (with extensions, which nobody sends), and all trailers together. Bytes. */
const longestLine = 4096;

/** Takes the chunked transfer coding (RFC 9112, section 7.1) off a body that comes in pieces. */
export class ChunkedBody {
  /** Bytes of the present chunk that are still to come. */
  #left = 0;
  /** What comes next: a line with a size, bytes, the line end behind them, or trailers. */
  #state: 'Size' | 'Data' | 'DataEnd' | 'Trailer' | 'End' = 'Size';
  #line = '';
  #trailers = 0;

  get isComplete(): boolean {
    return this.#state === 'End';
  }

  /**
   * Reads `bytes` and hands what is in it on. Returns how many bytes of it belong to this body; fewer than there are
   * only when it is complete. @throws ProtocolError
   */
  read(bytes: Buffer, onData: (chunk: Buffer) => void): number {
    let at = 0;
    while (at < bytes.length && this.#state !== 'End') {
      if (this.#state === 'Data') {
        const end = Math.min(bytes.length, at + this.#left);
        onData(bytes.subarray(at, end));
        this.#left -= end - at;
        at = end;
        if (this.#left === 0) this.#state = 'DataEnd';
      } else {
        at = this.#readLine(bytes, at);
      }
    }
    return at;
  }

  #readLine(bytes: Buffer, at: number): number {
    const end = bytes.indexOf(LF, at);
    const stop = end === -1 ? bytes.length : end;
    this.#line += bytes.toString('latin1', at, stop);
    if (this.#line.length > longestLine) throw new ProtocolError('a line of a chunked body is too long');
    if (end === -1) return stop;
    if (this.#line.charCodeAt(this.#line.length - 1) !== CR)
      throw new ProtocolError('a line of a chunked body ends wrongly');
    const line = this.#line.slice(0, -1);
    this.#line = '';
    this.#take(line);
    return stop + 1;
  }

  #take(line: string): void {
    if (this.#state === 'Size') {
      const [, size] = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(line) ?? [];
      if (size === undefined) throw new ProtocolError('a chunk without a size');
      this.#left = Number.parseInt(size, 16);
      this.#state = this.#left === 0 ? 'Trailer' : 'Data';
    } else if (this.#state === 'DataEnd') {
      if (line !== '') throw new ProtocolError('a chunk is longer than it said');
      this.#state = 'Size';
    } else if (line === '') {
      this.#state = 'End';
    } else {
      this.#trailers += line.length;
      if (this.#trailers > longestLine) throw new ProtocolError('too many trailers');
    }
  }
}
