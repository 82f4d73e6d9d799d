import { ChunkedBody } from './chunked.ts';
import { parseResponseHead, ProtocolError, type ResponseHead } from './head.ts';

/** Is told an answer as it comes. */
export interface AnswerReceiver {
  onHead(head: ResponseHead): void;
  /** The chunk's memory is used again as soon as this returns. */
  onData(chunk: Buffer): void;
}

/** Longest head of an answer. Bytes. */
const longestHead = 64 * 1024;
const headEnd = Buffer.from('\r\n\r\n');
const nothing = Buffer.alloc(0);

/** Reads one answer from bytes that come in pieces of any size. */
export class AnswerReader {
  readonly #method: string;
  readonly #receiver: AnswerReceiver;
  #head: ResponseHead | undefined;
  /** The beginning of a head whose end has not come yet. */
  #partialHead = nothing;
  /** Bytes of a body of known length that are still to come. */
  #left = 0;
  #chunked: ChunkedBody | undefined;

  /** `method` of the request: what HEAD is answered has no body, whatever its length. */
  constructor(method: string, receiver: AnswerReceiver) {
    this.#method = method;
    this.#receiver = receiver;
  }

  /** Whether the connection may be used again after this answer. */
  get keepAlive(): boolean {
    return this.#head?.keepAlive === true;
  }

  /** Returns undefined while more is to come, else how many bytes came behind the answer. @throws ProtocolError */
  read(bytes: Buffer): number | undefined {
    let rest = bytes;
    while (this.#head === undefined) {
      const behind = this.#readHead(rest);
      if (behind === undefined) return undefined;
      rest = behind;
    }
    if (this.#chunked !== undefined) {
      const count = this.#chunked.read(rest, (chunk) => this.#receiver.onData(chunk));
      return this.#chunked.isComplete ? rest.length - count : undefined;
    }
    const count = Math.min(rest.length, this.#left);
    this.#left -= count;
    if (count > 0) this.#receiver.onData(rest.subarray(0, count));
    return this.#left === 0 ? rest.length - count : undefined;
  }

  /** The other side will send nothing more. Returns whether that ends the answer as it should. */
  end(): boolean {
    return this.#head?.framing.kind === 'UntilClose';
  }

  /** Returns what comes behind the head, or undefined while its end is still to come. */
  #readHead(bytes: Buffer): Buffer | undefined {
    const known = this.#partialHead.length === 0 ? bytes : Buffer.concat([this.#partialHead, bytes]);
    const end = known.indexOf(headEnd);
    if (end > longestHead || (end === -1 && known.length > longestHead))
      throw new ProtocolError('the head of the answer is too long');
    if (end === -1) {
      // What was read lies in memory that is read into again.
      this.#partialHead = Buffer.from(known);
      return undefined;
    }
    this.#partialHead = nothing;
    const head = parseResponseHead(known.toString('latin1', 0, end), this.#method);
    if (head.status === 101) throw new ProtocolError('a change of protocol that nobody asked for');
    // 100 Continue and its like come before the answer.
    if (head.status >= 200) this.#begin(head);
    return known.subarray(end + headEnd.length);
  }

  #begin(head: ResponseHead): void {
    this.#head = head;
    const { framing } = head;
    if (framing.kind === 'Chunked') this.#chunked = new ChunkedBody();
    this.#left = framing.kind === 'Length' ? framing.bytes : Number.POSITIVE_INFINITY;
    this.#receiver.onHead(head);
  }
}
