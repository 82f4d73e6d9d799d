import type { IncomingMessage } from 'node:http';
import type { SecureContext } from 'node:tls';
import type { ResponseHead } from './head.ts';
import { NodeClient, type HostRequest } from './nodeclient.ts';

/** A request whose answer is read as a stream. */
export interface StreamRequest extends HostRequest {
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
 * Requests whose answers are too large to be held. A stream that waits for its reader is the strength of Node's own
 * client, and what it costs per request does not matter here.
 */
export class StreamClient {
  readonly #client: NodeClient;

  constructor(trust: SecureContext | undefined) {
    // Of any number of connections: a request that waited for one would wait signed. Who reads streams knows how many.
    this.#client = new NodeClient(trust === undefined ? {} : { secureContext: trust });
  }

  /** Resolves when the answer begins. Its body must be read or destroyed; aborting the signal destroys it. */
  async open(request: StreamRequest, signal: AbortSignal): Promise<StreamedResponse> {
    const { timeout } = request;
    const { sent, answer: begun } = this.#client.begin(request, signal);
    const silent = (): Error => new SilenceTimeoutError(`nothing came for ${timeout / 1000} s`);
    // Node's own timeout begins when the connection stands.
    sent.setTimeout(timeout);
    const untilAnswer = (): unknown => sent.destroy(silent());
    sent.on('timeout', untilAnswer);
    const answer = await begun;
    sent.off('timeout', untilAnswer);
    // A connection is silent as well while its reader has not taken what is there.
    sent.on('timeout', () => answer.readableLength === 0 && answer.destroy(silent()));
    return { status: answer.statusCode ?? 0, headers: joined(answer), body: answer };
  }

  close(): void {
    this.#client.close();
  }
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
