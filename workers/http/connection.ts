import type { OnReadOpts, Socket } from 'node:net';
import { AnswerReader, type AnswerReceiver } from './answer.ts';
import { formatRequestHead, ProtocolError, type RequestHead } from './head.ts';

/** A request that goes out in one piece. */
export interface WholeRequest extends RequestHead {
  readonly body: Uint8Array | undefined;
}

/** Is told what comes of a request. After `onEnd` or `onError` nothing more. */
export interface Receiver extends AnswerReceiver {
  /** The request has a connection, which stands or will. */
  onBegin(connection: Connection): void;
  onEnd(): void;
  onError(error: Error): void;
}

/** Whom a connection belongs to. */
export interface ConnectionOwner {
  /** It can take another request. */
  onIdle(connection: Connection): void;
  onClosed(connection: Connection): void;
}

/** Makes the socket, with options that it must hand on. */
export interface SocketSource {
  open(onread: OnReadOpts): Socket;
  /** Says when the socket can be written to. */
  readonly standingEvent: 'connect' | 'secureConnect';
}

/** A request that is under way, or to go out as soon as the connection stands. */
interface Turn {
  readonly request: WholeRequest;
  readonly receiver: Receiver;
  readonly reader: AnswerReader;
}

/** Bytes that are read at once. */
const readSize = 64 * 1024;
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
  #turn: Turn | undefined;

  constructor(owner: ConnectionOwner, source: SocketSource) {
    this.#owner = owner;
    const buffer = Buffer.allocUnsafeSlow(readSize);
    const callback = (count: number): boolean => {
      this.#onRead(buffer.subarray(0, count));
      return true;
    };
    this.#socket = source.open({ buffer, callback });
    this.#connecting = setTimeout(() => {
      this.destroy(new Error(`no connection within ${connectTimeout / 1000} s`));
    }, connectTimeout);
    this.#socket.once(source.standingEvent, () => this.#onStanding());
    this.#socket.once('end', () => this.#onFinished());
    this.#socket.once('error', (error) => this.destroy(firstOf(error)));
    this.#socket.once('close', () => this.destroy(new Error('the other side closed the connection')));
  }

  /** Sends a request, as soon as the connection stands. Only while it is idle, or for the first time. */
  send(request: WholeRequest, receiver: Receiver): void {
    const turn = { request, receiver, reader: new AnswerReader(request.method, receiver) };
    this.#turn = turn;
    receiver.onBegin(this);
    if (this.#standing) this.#write(turn);
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
    const turn = this.#turn;
    this.#turn = undefined;
    this.#owner.onClosed(this);
    turn?.receiver.onError(reason);
  }

  #onStanding(): void {
    clearTimeout(this.#connecting);
    this.#standing = true;
    if (this.#turn !== undefined) this.#write(this.#turn);
  }

  #write({ request, receiver }: Turn): void {
    const { body } = request;
    let head: string;
    try {
      head = formatRequestHead(request, body?.byteLength ?? 0);
    } catch (error) {
      // Nothing was sent: the connection is as good as before.
      this.#release(true);
      receiver.onError(toError(error));
      return;
    }
    if (body === undefined || body.byteLength === 0) {
      this.#socket.write(head, 'latin1');
    } else {
      this.#socket.cork();
      this.#socket.write(head, 'latin1');
      this.#socket.write(body);
      this.#socket.uncork();
    }
  }

  #onRead(bytes: Buffer): void {
    if (this.#closed) return;
    try {
      if (this.#turn === undefined) throw new ProtocolError('an answer that nobody asked for');
      const surplus = this.#turn.reader.read(bytes);
      if (surplus !== undefined) this.#onComplete(surplus);
    } catch (error) {
      this.destroy(toError(error));
    }
  }

  /** The other side will send nothing more: for some answers that is their end. */
  #onFinished(): void {
    if (this.#turn?.reader.end() === true) this.#onComplete(0);
    this.destroy(new Error('the other side closed the connection'));
  }

  /** `surplus`: bytes that came behind the answer. */
  #onComplete(surplus: number): void {
    const turn = this.#turn;
    // Whoever took the last bytes may have broken it off.
    if (turn === undefined) return;
    // An answer may come before all of the request was sent, and bytes that nobody asked for behind it: what is left
    // of either would be taken for a part of what comes next.
    const clean = surplus === 0 && this.#socket.writableLength === 0;
    this.#release(clean && turn.reader.keepAlive);
    turn.receiver.onEnd();
  }

  #release(reusable: boolean): void {
    this.#turn = undefined;
    if (reusable) this.#owner.onIdle(this);
    else this.destroy(new Error('the connection is not used again'));
  }
}

/** Of a name with several addresses each was tried: the first failure says enough. */
function firstOf(error: Error): Error {
  return error instanceof AggregateError ? toError(error.errors[0]) : error;
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error('unknown failure', { cause: error });
}
