import type { Connection, Receiver } from '../http/connection.ts';
import type { ResponseHead } from '../http/head.ts';

/** No answer that is read whole may be larger (a listing of 1,000 longest keys has 4 MB), unless more was asked for. */
export const USUAL_BODY = 32 * 1024 * 1024;

/** An answer, read whole. */
export interface WireResponse {
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
  readonly answer: Promise<WireResponse>;
  readonly #resolve: (response: WireResponse) => void;
  readonly #reject: (reason: unknown) => void;
  #connection: Connection | undefined;
  #ended = false;
  #head: ResponseHead | undefined;
  /** Room for the body: all of it where its length is known, else as much as came so far and some more. */
  #body = nothing;
  #size = 0;
  readonly #largest: number;

  /** `largest`: bytes of the body at most. */
  constructor(largest: number) {
    this.#largest = largest;
    const { promise, resolve, reject } = Promise.withResolvers<WireResponse>();
    this.answer = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  onBegin(connection: Connection): void {
    this.#connection = connection;
  }

  onHead(head: ResponseHead): void {
    this.#head = head;
    const { framing } = head;
    if (framing.kind !== 'Length') return;
    if (framing.bytes > this.#largest) this.#refuse();
    else if (framing.bytes > 0) this.#body = Buffer.allocUnsafe(framing.bytes);
  }

  onData(chunk: Buffer): void {
    if (this.#ended) return;
    const size = this.#size + chunk.length;
    if (size > this.#largest) {
      this.#refuse();
      return;
    }
    if (size > this.#body.length) {
      const grown = Buffer.allocUnsafe(Math.min(this.#largest, Math.max(size, 2 * this.#body.length)));
      this.#body.copy(grown, 0, 0, this.#size);
      this.#body = grown;
    }
    chunk.copy(this.#body, this.#size);
    this.#size = size;
  }

  #refuse(): void {
    this.abort(new Error(`the answer is larger than ${this.#largest / 1024 ** 2} MiB`));
  }

  onEnd(): void {
    if (this.#ended || this.#head === undefined) return;
    this.#ended = true;
    const { status, headers } = this.#head;
    this.#resolve({ status, headers, body: this.#body.subarray(0, this.#size) });
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
