/** HTTP connections to one API server. */
import { Pool, type Dispatcher } from 'undici';
import type { Clock } from './clock.ts';
import type { Deadline } from './deadline.ts';
import { KubeConnectionError, KubeError } from './errors.ts';
import type { ClusterAccess } from './kubeconfig.ts';
import type { KubeMetrics } from './metrics.ts';
import type { ApiRequest } from './requests.ts';
import { parseStatusError } from './status-error.ts';

/** Plain calls share this many connections; watches and logs have one each. */
const callConnections = 32;

/** An idle connection is kept so long: less than any server or balancer on the way would. */
const keepAliveMs = 30_000;

/** Connections to one API server. Every failure comes out as an error of errors.ts or as the signal's reason. */
export class Transport {
  readonly #access: ClusterAccess;
  readonly #basePath: string;
  readonly #userAgent: string;
  readonly #metrics: KubeMetrics;
  readonly #clock: Clock;
  readonly #calls: Pool;
  readonly #streams: Pool;

  constructor(access: ClusterAccess, userAgent: string, metrics: KubeMetrics, clock: Clock) {
    const url = new URL(access.server);
    this.#access = access;
    this.#basePath = url.pathname.replace(/\/+$/, '');
    this.#userAgent = userAgent;
    this.#metrics = metrics;
    this.#clock = clock;
    const options: Pool.Options = {
      connect: {
        ca: access.ca,
        cert: access.cert,
        key: access.key,
        servername: access.serverName,
        rejectUnauthorized: access.insecureSkipTlsVerify !== true,
        timeout: 5_000,
      },
      allowH2: false,
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: keepAliveMs,
      // Deadlines are ours: of a call as a whole, and of silence on a stream.
      headersTimeout: 0,
      bodyTimeout: 0,
    };
    this.#calls = new Pool(url.origin, { ...options, connections: callConnections });
    this.#streams = new Pool(url.origin, options);
  }

  /** Sends one request and reads the answer to its end. */
  async call(request: ApiRequest, deadline: Deadline): Promise<string> {
    return this.#measure(request, async () => {
      const response = await this.#send(this.#calls, request, deadline);
      return guardBody(response.body.text(), deadline);
    });
  }

  /**
   * Sends one request and gives its body while it comes. The caller ends the stream by closing the deadline, always.
   */
  async stream(request: ApiRequest, deadline: Deadline): Promise<AsyncIterable<Uint8Array>> {
    const response = await this.#measure(request, () => this.#send(this.#streams, request, deadline));
    // An abandoned body reports its abort once more as an event, which nobody waits for.
    response.body.on('error', () => undefined);
    return readBody(response.body, deadline);
  }

  async close(): Promise<void> {
    await Promise.all([this.#calls.destroy(), this.#streams.destroy()]);
  }

  async #send(pool: Pool, request: ApiRequest, deadline: Deadline): Promise<Dispatcher.ResponseData> {
    const headers: Record<string, string> = { accept: 'application/json', 'user-agent': this.#userAgent };
    if (request.body !== undefined) headers['content-type'] = request.contentType ?? 'application/json';
    try {
      const authorization = await this.#access.authorization();
      deadline.signal.throwIfAborted();
      if (authorization !== undefined) headers['authorization'] = authorization;
      const response = await pool.request({
        method: request.method,
        path: this.#basePath + request.path + formatQuery(request.query),
        headers,
        body: request.body,
        signal: deadline.signal,
      });
      if (response.statusCode < 400) return response;
      const text = await response.body.text();
      throw parseStatusError(response.statusCode, text, response.headers['retry-after'], this.#clock.now());
    } catch (error) {
      throw explain(error, deadline);
    }
  }

  async #measure<R>(request: ApiRequest, send: () => Promise<R>): Promise<R> {
    const startedMs = this.#clock.monotonicMs();
    let code = 'error';
    try {
      const result = await send();
      code = '200';
      return result;
    } catch (error) {
      if (error instanceof KubeError) code = String(error.status);
      throw error;
    } finally {
      const seconds = (this.#clock.monotonicMs() - startedMs) / 1000;
      this.#metrics.request(request.verb, request.resource, code, seconds);
    }
  }
}

function formatQuery(query: ApiRequest['query']): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  return parameters.size === 0 ? '' : `?${parameters.toString()}`;
}

async function guardBody(body: Promise<string>, deadline: Deadline): Promise<string> {
  try {
    return await body;
  } catch (error) {
    throw explain(error, deadline);
  }
}

async function* readBody(body: AsyncIterable<unknown>, deadline: Deadline): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body) {
      if (chunk instanceof Uint8Array) yield chunk;
    }
  } catch (error) {
    throw explain(error, deadline);
  }
}

/** Codes of failures that come before a byte of the request is out. */
const unsentCodes: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** An abort is told as its reason; anything else that is not an answer is a connection error. */
function explain(error: unknown, deadline: Deadline): unknown {
  if (deadline.signal.aborted) return deadline.signal.reason;
  if (error instanceof KubeError) return error;
  const code = codeOf(error);
  return new KubeConnectionError(`no answer from the API server (${code})`, {
    cause: error,
    unsent: unsentCodes.has(code),
  });
}

function codeOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string') {
    return error.code;
  }
  return 'unknown';
}
