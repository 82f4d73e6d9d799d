import type { Agent, ClientRequest, IncomingMessage } from 'node:http';
import type { Agent as SecureAgent } from 'node:https';
import type { SecureContext } from 'node:tls';
import { http, https } from './builtins.ts';
import type { RequestHead, ResponseHead } from './head.ts';

/** A request whose answer is read as a stream. */
export interface StreamRequest extends RequestHead {
  readonly origin: string;
  readonly body: Uint8Array | undefined;
  /** Milliseconds until the answer begins, and that its reader may have to wait for more. */
  readonly timeout: number;
}

export interface StreamedResponse {
  readonly status: number;
  readonly headers: ResponseHead['headers'];
  readonly body: IncomingMessage;
}

/** The other side said nothing for too long. */
class SilenceTimeoutError extends Error {
  override readonly name = 'SilenceTimeoutError';
}

/**
 * Requests whose answers are too large to be held. Node's own client: a stream that waits for its reader is its
 * strength, and what it costs per request does not matter here.
 */
export class StreamClient {
  readonly #plain: Agent;
  readonly #secure: SecureAgent;

  constructor(trust: SecureContext | undefined) {
    // A request that waited here would wait signed. Who reads streams knows how many.
    const pool = { keepAlive: true };
    this.#plain = new http.Agent(pool);
    this.#secure = new https.Agent({ ...pool, ...(trust && { secureContext: trust }) });
  }

  /** Resolves when the answer begins. Its body must be read or destroyed; aborting the signal destroys it. */
  async open(request: StreamRequest, signal: AbortSignal): Promise<StreamedResponse> {
    const { origin, method, path, headers, body, timeout } = request;
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const secure = origin.startsWith('https:');
    const { hostname, port } = new URL(origin);
    const length = body === undefined ? {} : { 'content-length': String(body.byteLength) };
    const where = { hostname: hostname.replace(/^\[|\]$/g, ''), port, path };
    const options = { ...where, method, headers: { ...headers, ...length }, signal };
    const sent: ClientRequest = secure
      ? https.request({ ...options, agent: this.#secure })
      : http.request({ ...options, agent: this.#plain });
    // Stays for good: a connection that breaks while the answer is read says so here as well.
    sent.on('error', reject);
    sent.on('response', resolve);
    boundConnecting(sent);
    const silent = (): Error => new SilenceTimeoutError(`nothing came for ${timeout / 1000} s`);
    // Node's own timeout begins when the connection stands.
    sent.setTimeout(timeout);
    const untilAnswer = (): unknown => sent.destroy(silent());
    sent.on('timeout', untilAnswer);
    sent.end(body);
    const answer = await promise;
    sent.off('timeout', untilAnswer);
    // A connection is silent as well while its reader has not taken what is there.
    sent.on('timeout', () => answer.readableLength === 0 && answer.destroy(silent()));
    return { status: answer.statusCode ?? 0, headers: joined(answer), body: answer };
  }

  close(): void {
    this.#plain.destroy();
    this.#secure.destroy();
  }
}

/** Milliseconds that a connection may take to stand. */
const connectTimeout = 10_000;

/** Breaks a request off whose connection does not stand in time. */
export function boundConnecting(sent: ClientRequest): void {
  sent.on('socket', (socket) => {
    if (!socket.connecting) return;
    const tooLate = new Error(`no connection within ${connectTimeout / 1000} s`);
    const timer = setTimeout(() => sent.destroy(tooLate), connectTimeout);
    for (const event of ['connect', 'close'] as const) socket.once(event, () => clearTimeout(timer));
  });
}

/** At most `most` bytes of an answer, as text; the rest is not waited for. */
export async function readBeginning(body: IncomingMessage, most: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    const bytes: Buffer = chunk;
    chunks.push(bytes);
    size += bytes.length;
    // Leaving the loop destroys the answer.
    if (size >= most) break;
  }
  return Buffer.concat(chunks).toString('utf8', 0, Math.min(size, most));
}

function joined({ headersDistinct }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headersDistinct).map(([name, values = []]) => [name, values.join(', ')]),
  );
}
