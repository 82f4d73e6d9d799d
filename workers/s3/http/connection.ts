import type { OnReadOpts, Socket } from 'node:net';
import { ChunkedBody } from './chunked.ts';
import {
  formatRequestHead,
  parseResponseHead,
  ProtocolError,
  type RequestHead,
  type ResponseHead,
} from './head.ts';

/** A request that goes out in one piece. */
export interface WholeRequest extends RequestHead {
  readonly body: Uint8Array | undefined;
}

/** Is told what comes of a request. After `onEnd` or `onError` nothing more. */
export interface Receiver {
  /** The request has a connection. Returns whether it is still wanted. */
  onBegin(connection: Connection): boolean;
  onHead(head: ResponseHead): void;
  /** The chunk's memory is used again as soon as this returns. */
  onData(chunk: Buffer): void;
  onEnd(): void;
  onError(error: Error): void;
}

/** Whom a connection belongs to. */
export interface ConnectionOwner {
  /** It can take another request. */
  onIdle(connection: Connection): void;
  onClosed(connection: Connection): void;
}

/** Bytes that are read at once. */
const readSize = 64 * 1024;
/** Longest head of an answer. Bytes. */
const longestHead = 64 * 1024;
const headEnd = Buffer.from('\r\n\r\n');
/** Milliseconds that a connection may take to stand. */
const connectTimeout = 10_000;

/**
 * One connection, one request at a time. Answers are read from one buffer without Node's streams in between, which
 * with requests as small as an object's copy would cost more than all the rest.
 */
export class Connection {
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  readonly #connecting: NodeJS.Timeout;
  #standing = false;
  #closed = false;
  #request: WholeRequest | undefined;
  #receiver: Receiver | undefined;
  #head: ResponseHead | undefined;
  /** The beginning of a head whose end has not come yet. */
  #partialHead: Buffer | undefined;
  /** Bytes of a body of known length that are still to come. */
  #left = 0;
  #chunked: ChunkedBody | undefined;

  /** `open` makes the socket, with options that it must hand on; `event` says when it can be written to. */
  constructor(
    owner: ConnectionOwner,
    open: (onread: OnReadOpts) => Socket,
    event: 'connect' | 'secureConnect',
  ) {
    this.#owner = owner;
    const buffer = Buffer.allocUnsafeSlow(readSize);
    const callback = (count: number): boolean => {
      this.#onRead(buffer.subarray(0, count));
      return true;
    };
    this.#socket = open({ buffer, callback });
    this.#connecting = setTimeout(() => {
      this.destroy(new Error(`no connection within ${connectTimeout / 1000} s`));
    }, connectTimeout);
    this.#socket.once(event, () => this.#onStanding());
    this.#socket.once('end', () => this.#onFinished());
    this.#socket.once('error', (error) => this.destroy(firstOf(error)));
    this.#socket.once('close', () => this.destroy(new Error('the other side closed the connection')));
  }

  /** Sends a request, as soon as the connection stands. Only while it is idle, or for the first time. */
  send(request: WholeRequest, receiver: Receiver): void {
    this.#request = request;
    this.#receiver = receiver;
    if (this.#standing) this.#write(request, receiver);
  }

  /** An idle connection does not keep the process alive. */
  setIdle(idle: boolean): void {
    if (idle) this.#socket.unref();
    else this.#socket.ref();
  }

  /** Ends the connection, and with it the request that is under way. */
  destroy(reason: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#connecting);
    this.#socket.destroy();
    const receiver = this.#receiver;
    this.#receiver = undefined;
    this.#owner.onClosed(this);
    receiver?.onError(reason);
  }

  #onStanding(): void {
    clearTimeout(this.#connecting);
    this.#standing = true;
    if (this.#request && this.#receiver) this.#write(this.#request, this.#receiver);
  }

  #write(request: WholeRequest, receiver: Receiver): void {
    const { body } = request;
    try {
      const head = formatRequestHead(request, body?.byteLength ?? 0);
      if (!receiver.onBegin(this)) {
        this.#release(true);
        return;
      }
      if (body === undefined || body.byteLength === 0) {
        this.#socket.write(head, 'latin1');
        return;
      }
      this.#socket.cork();
      this.#socket.write(head, 'latin1');
      this.#socket.write(body);
      this.#socket.uncork();
    } catch (error) {
      this.destroy(toError(error));
    }
  }

  #onRead(bytes: Buffer): void {
    try {
      let rest = bytes;
      while (rest.length > 0 && !this.#closed) rest = this.#take(rest);
    } catch (error) {
      this.destroy(toError(error));
    }
  }

  /** Takes the next bytes in and returns those that are left. */
  #take(bytes: Buffer): Buffer {
    const receiver = this.#receiver;
    if (receiver === undefined) throw new ProtocolError('an answer that nobody asked for');
    if (this.#head === undefined) return this.#takeHead(bytes, receiver);
    if (this.#chunked !== undefined) {
      const count = this.#chunked.read(bytes, (chunk) => receiver.onData(chunk));
      if (this.#chunked.isComplete) this.#onComplete(bytes.length - count);
      return bytes.subarray(count);
    }
    const count = Math.min(bytes.length, this.#left);
    this.#left -= count;
    receiver.onData(count === bytes.length ? bytes : bytes.subarray(0, count));
    if (this.#left === 0) this.#onComplete(bytes.length - count);
    return bytes.subarray(count);
  }

  #takeHead(bytes: Buffer, receiver: Receiver): Buffer {
    const known = this.#partialHead === undefined ? bytes : Buffer.concat([this.#partialHead, bytes]);
    const end = known.indexOf(headEnd);
    if (end > longestHead || (end === -1 && known.length > longestHead))
      throw new ProtocolError('the head of the answer is too long');
    if (end === -1) {
      // What was read is in the buffer that is read into next.
      this.#partialHead = Buffer.from(known);
      return bytes.subarray(bytes.length);
    }
    this.#partialHead = undefined;
    const head = parseResponseHead(known.toString('latin1', 0, end), this.#request?.method ?? '');
    const rest = known.subarray(end + headEnd.length);
    // 100 Continue and its like come before the answer.
    if (head.status < 200) return rest;
    this.#head = head;
    const { framing } = head;
    this.#chunked = framing.kind === 'Chunked' ? new ChunkedBody() : undefined;
    this.#left = framing.kind === 'Length' ? framing.bytes : Number.POSITIVE_INFINITY;
    receiver.onHead(head);
    if (framing.kind === 'Length' && framing.bytes === 0) this.#onComplete(rest.length);
    return rest;
  }

  /** The other side will send nothing more: for some answers that is their end. */
  #onFinished(): void {
    if (this.#head?.framing.kind === 'UntilClose') this.#onComplete(0);
    this.destroy(new Error('the other side closed the connection'));
  }

  /** `surplus`: bytes that came behind the answer. */
  #onComplete(surplus: number): void {
    // Whoever took the last bytes may have broken it off.
    if (this.#closed) return;
    const receiver = this.#receiver;
    // An answer may come before all of the request was sent, and bytes that nobody asked for behind it: what is left
    // of either would be taken for a part of what comes next.
    const clean = surplus === 0 && this.#socket.writableLength === 0;
    this.#release(clean && this.#head?.keepAlive === true);
    receiver?.onEnd();
  }

  #release(reusable: boolean): void {
    this.#receiver = undefined;
    this.#request = undefined;
    this.#head = undefined;
    if (reusable) this.#owner.onIdle(this);
    else this.destroy(new Error('the connection is not used again'));
  }
}

/** Of an address with several numbers, every one of which was tried, the first failure says enough. */
function firstOf(error: Error): Error {
  return error instanceof AggregateError ? toError(error.errors[0]) : error;
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error('unknown failure', { cause: error });
}
