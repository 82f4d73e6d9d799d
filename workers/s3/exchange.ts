import type { Connection, Receiver } from './http/connection.ts';
import type { ResponseHead } from './http/head.ts';

/** No answer that is read whole may be larger (a listing of 1,000 longest keys has 4 MB), unless more was asked for. */
export const USUAL_BODY = 32 * 1024 * 1024;

/** An answer, read whole. */
export interface WholeResponse {
  readonly status: number;
  readonly headers: ResponseHead['headers'];
  readonly body: Buffer;
}

/** An exchange that ended because its deadline came. */
export class DeadlineExceeded extends Error {
  override readonly name = 'DeadlineExceeded';
}

const nothing = Buffer.alloc(0);

/** One request and the whole of its answer. Ended once: by the answer, a failure, or being broken off. */
export class Exchange implements Receiver {
  readonly answer: Promise<WholeResponse>;
  readonly #resolve: (response: WholeResponse) => void;
  readonly #reject: (reason: unknown) => void;
  readonly #begun: () => void;
  #connection: Connection | undefined;
  #ended = false;
  #head: ResponseHead | undefined;
  /** Room for the body, where its length is known, or its chunks. */
  #body: Buffer | undefined;
  #chunks: Buffer[] | undefined;
  #size = 0;
  readonly #largest: number;

  /** `largest`: bytes of the body at most. `begun`: called when the request has got a connection. */
  constructor(largest: number, begun: () => void) {
    this.#largest = largest;
    this.#begun = begun;
    const { promise, resolve, reject } = Promise.withResolvers<WholeResponse>();
    this.answer = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Whether the request has got a connection. */
  get isBegun(): boolean {
    return this.#connection !== undefined;
  }

  onBegin(connection: Connection): boolean {
    // It may have been broken off while it waited.
    if (this.#ended) return false;
    this.#connection = connection;
    this.#begun();
    return true;
  }

  onHead(head: ResponseHead): void {
    this.#head = head;
    const { framing } = head;
    if (framing.kind !== 'Length') this.#chunks = [];
    else if (framing.bytes > this.#largest) this.#refuse();
    else if (framing.bytes > 0) this.#body = Buffer.allocUnsafe(framing.bytes);
  }

  onData(chunk: Buffer): void {
    const at = this.#size;
    this.#size += chunk.length;
    if (this.#size > this.#largest) this.#refuse();
    else if (this.#body !== undefined) chunk.copy(this.#body, at);
    else this.#chunks?.push(Buffer.from(chunk));
  }

  #refuse(): void {
    this.abort(new Error(`the answer is larger than ${this.#largest / 1024 ** 2} MiB`));
  }

  onEnd(): void {
    if (this.#ended || this.#head === undefined) return;
    this.#ended = true;
    const { status, headers } = this.#head;
    const chunks = this.#chunks === undefined ? nothing : Buffer.concat(this.#chunks);
    this.#resolve({ status, headers, body: this.#body ?? chunks });
  }

  onError(error: Error): void {
    this.#fail(error);
  }

  /** The deadline came. */
  expire(): void {
    this.abort(new DeadlineExceeded());
  }

  abort(reason: unknown): void {
    if (this.#ended) return;
    this.#fail(reason);
    this.#connection?.destroy(new Error('broken off'));
  }

  #fail(reason: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#reject(reason);
  }
}
