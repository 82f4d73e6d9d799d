import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { pkiFile } from './kubeconfig.ts';

export interface ApiResponse {
  readonly status: number;
  /** Parsed JSON, or the text when it is none. */
  readonly body: unknown;
}

/** A small client of the cluster's own API server, as administrator. For the harness; tests use their own. */
export class ApiClient {
  readonly #server: string;
  readonly #agent: Agent;

  constructor(directory: string, server: string) {
    this.#server = server;
    this.#agent = new Agent({
      keepAlive: true,
      ca: readFileSync(pkiFile(directory, 'ca.crt')),
      cert: readFileSync(pkiFile(directory, 'admin.crt')),
      key: readFileSync(pkiFile(directory, 'admin.key')),
    });
  }

  #open(
    method: string,
    path: string,
    body: unknown,
    type: string,
    signal?: AbortSignal,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const outgoing = request(
        new URL(path, this.#server),
        {
          method,
          agent: this.#agent,
          headers: body === undefined ? {} : { 'content-type': type },
          ...(signal === undefined ? {} : { signal }),
        },
        resolve,
      );
      outgoing.on('error', reject);
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** One request with a deadline of 10 s. Rejects only when there is no answer at all. */
  async send(method: string, path: string, body?: unknown, type = 'application/json'): Promise<ApiResponse> {
    const response = await this.#open(method, path, body, type, AbortSignal.timeout(10_000));
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += chunk;
    try {
      return { status: response.statusCode ?? 0, body: JSON.parse(text) };
    } catch {
      return { status: response.statusCode ?? 0, body: text };
    }
  }

  /** Waits until a GET answers 200. */
  async waitFor(
    path: string,
    timeoutMs: number,
    isHopeless: () => string | undefined = () => undefined,
  ): Promise<void> {
    const end = performance.now() + timeoutMs;
    let last = 'no answer';
    while (performance.now() < end) {
      const answer = await this.send('GET', path).catch((error: Error) => {
        last = error.message;
        return undefined;
      });
      if (answer?.status === 200) return;
      if (answer !== undefined) last = `${answer.status} ${JSON.stringify(answer.body).slice(0, 300)}`;
      const hopeless = isHopeless();
      if (hopeless !== undefined) throw new Error(hopeless);
      await sleep(50);
    }
    throw new Error(`the API server did not answer ${path} within ${timeoutMs / 1000} s: ${last}`);
  }

  /** Lines of a watch until it ends; each is an event as JSON text. */
  async *watch(path: string, signal: AbortSignal): AsyncGenerator<string> {
    const response = await this.#open('GET', path, undefined, '', signal);
    let rest = '';
    for await (const chunk of response.setEncoding('utf8')) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') yield line;
    }
  }

  close(): void {
    this.#agent.destroy();
  }
}
