import type { Dispatcher } from 'undici';
import type { WireResponse } from './transport.ts';

/** No answer that is read whole may be larger (a listing of 1,000 longest keys has 4 MB), unless more was asked for. */
export const USUAL_BODY = 32 * 1024 * 1024;

/** An exchange that ended because its deadline came. */
export class DeadlineExceeded extends Error {
  override readonly name = 'DeadlineExceeded';
}

/** One request and the whole of its answer, as undici tells it. Ended once: by the answer, a failure, or being broken off. */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly answer: Promise<WireResponse>;
  readonly #resolve: (response: WireResponse) => void;
  readonly #reject: (reason: unknown) => void;
  readonly #begun: () => void;
  #controller: Dispatcher.DispatchController | undefined;
  #ended = false;
  #status = 0;
  #headers: WireResponse['headers'] = {};
  /** The body so far: its first chunk, or room for all of it, or chunks where nobody said how long it is. */
  #body: Buffer | undefined;
  #chunks: Buffer[] | undefined;
  #size = 0;
  readonly #largest: number;

  /** `largest`: bytes of the body at most. `begun`: called when the request has got a connection. */
  constructor(largest: number, begun: () => void) {
    this.#largest = largest;
    this.#begun = begun;
    const { promise, resolve, reject } = Promise.withResolvers<WireResponse>();
    this.answer = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // It was broken off while it waited for a connection.
    if (this.#ended) controller.abort(new Error('broken off'));
    else this.#begun();
  }

  /** Whether the request has got a connection. */
  get isBegun(): boolean {
    return this.#controller !== undefined;
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: WireResponse['headers']): void {
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const at = this.#size;
    this.#size += chunk.length;
    if (this.#size > this.#largest)
      controller.abort(new Error(`the answer is larger than ${this.#largest / 1024 ** 2} MiB`));
    else if (this.#chunks !== undefined) this.#chunks.push(chunk);
    else if (this.#body === undefined) this.#begin(chunk);
    else chunk.copy(this.#body, at);
  }

  #begin(chunk: Buffer): void {
    const length = Number(this.#headers['content-length']);
    if (length === chunk.length) {
      this.#body = chunk;
    } else if (length > chunk.length && length <= this.#largest) {
      // One copy of a large body, not two.
      this.#body = Buffer.allocUnsafe(length);
      chunk.copy(this.#body);
    } else {
      this.#chunks = [chunk];
    }
  }

  onResponseEnd(): void {
    if (this.#ended) return;
    this.#ended = true;
    const body = this.#body ?? Buffer.concat(this.#chunks ?? []);
    this.#resolve({ status: this.#status, headers: this.#headers, body });
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#fail(error);
  }

  /** The deadline came. */
  expire(): void {
    this.abort(new DeadlineExceeded());
  }

  abort(reason: unknown): void {
    if (this.#ended) return;
    this.#fail(reason);
    this.#controller?.abort(new Error('broken off'));
  }

  #fail(reason: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#reject(reason);
  }
}
