import type { Agent, ClientRequest, IncomingMessage } from 'node:http';
import type { Agent as SecureAgent, AgentOptions } from 'node:https';
import { http, https } from './builtins.ts';
import type { RequestHead } from './head.ts';

/** A request to a host. */
export interface HostRequest extends RequestHead {
  /** `https://host[:port]` or `http://…`. */
  readonly origin: string;
  readonly body: Uint8Array | undefined;
}

/** Node's own client, for what few requests are, or too large to be held. It follows no redirects. */
export class NodeClient {
  readonly #plain: Agent;
  readonly #secure: SecureAgent;

  /** `options`: how many connections per host, whom to trust, and by which name to know the other side. */
  constructor(options: Pick<AgentOptions, 'maxSockets' | 'ca' | 'secureContext' | 'servername'>) {
    this.#plain = new http.Agent({ keepAlive: true, maxSockets: options.maxSockets });
    this.#secure = new https.Agent({ keepAlive: true, ...options });
  }

  /** Begins a request. The body of its answer must be read or destroyed; aborting the signal destroys it. */
  begin(
    { origin, method, path, headers, body }: HostRequest,
    signal: AbortSignal,
  ): { readonly sent: ClientRequest; readonly answer: Promise<IncomingMessage> } {
    const { promise: answer, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const { protocol, hostname, port } = new URL(origin);
    const length = body === undefined ? {} : { 'content-length': String(body.byteLength) };
    // `new URL` puts IPv6 addresses into brackets.
    const where = { hostname: hostname.replace(/^\[|\]$/g, ''), port, path };
    const options = { ...where, method, headers: { ...headers, ...length }, signal };
    const sent =
      protocol === 'https:'
        ? https.request({ ...options, agent: this.#secure })
        : http.request({ ...options, agent: this.#plain });
    // Stays for good: a connection that breaks while the answer is read says so here as well.
    sent.on('error', reject);
    sent.on('response', resolve);
    boundConnecting(sent);
    sent.end(body);
    return { sent, answer };
  }

  close(): void {
    this.#plain.destroy();
    this.#secure.destroy();
  }
}

/** Milliseconds that a connection may take to stand. */
const connectTimeout = 10_000;

/** Breaks a request off whose connection does not stand in time. */
function boundConnecting(sent: ClientRequest): void {
  sent.on('socket', (socket) => {
    if (!socket.connecting) return;
    const tooLate = new Error(`no connection within ${connectTimeout / 1000} s`);
    const timer = setTimeout(() => sent.destroy(tooLate), connectTimeout);
    for (const event of ['connect', 'close'] as const) socket.once(event, () => clearTimeout(timer));
  });
}
