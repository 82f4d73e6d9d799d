import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { grantRequest, ROUTES, type CommitReply } from '../../workers/contract/workerapi.ts';

/** What the double answers instead of doing its work: a status with a body, a broken connection, or no answer. */
export type Fault = { status: number; body?: string; headers?: Record<string, string> } | 'reset' | 'hang';

/** One request that arrived, whether it was answered well or not. */
export interface Seen {
  readonly route: string;
  readonly token: string;
  readonly body: string;
}

/**
 * A loopback stand-in of the worker API and of the results store behind its URLs. Objects live in a map; a PUT with
 * `if-none-match` is refused where one is. Faults are used up in order, one per request of their route.
 */
export class WorkerApiDouble {
  readonly objects = new Map<string, Buffer>();
  readonly seen: Seen[] = [];
  readonly reports: string[] = [];
  /** By route, or `PUT` and `GET` for the store. */
  readonly faults = new Map<string, Fault[]>();
  commit: CommitReply = { admitted: true };
  /** While true every route of the operator (not the store) breaks the connection. */
  operatorDown = false;
  /** Seconds that grants live; the store refuses older ones. */
  grantLife = 900;
  #url = '';
  #close: () => Promise<void> = async () => undefined;

  static async start(tls?: { key: string; cert: string }): Promise<WorkerApiDouble> {
    const double = new WorkerApiDouble();
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      double.#answer(request, response).catch(() => response.destroy());
    };
    const server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    double.#url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${address.port}`;
    double.#close = async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    };
    return double;
  }

  get url(): string {
    return this.#url;
  }

  /** Requests of a route so far. */
  count(route: string): number {
    return this.seen.filter((request) => request.route === route).length;
  }

  json(key: string): unknown {
    const body = this.objects.get(key);
    return body === undefined ? undefined : JSON.parse(body.toString('utf8'));
  }

  /** The one object whose key ends like this. */
  ending(end: string): unknown {
    const keys = [...this.objects.keys()].filter((key) => key.endsWith(end));
    return keys.length === 1 ? this.json(keys[0] ?? '') : undefined;
  }

  stop(): Promise<void> {
    return this.#close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    const body = Buffer.concat(chunks);
    const url = new URL(request.url ?? '', this.#url);
    const ofStore = url.pathname.startsWith('/store/');
    const route = ofStore ? (request.method ?? '') : url.pathname;
    const token = (request.headers.authorization ?? '').replace('Bearer ', '');
    this.seen.push({ route, token, body: ofStore ? url.pathname : body.toString('utf8') });
    const fault = !ofStore && this.operatorDown ? 'reset' : this.faults.get(route)?.shift();
    if (fault === 'reset') {
      request.socket.destroy();
      return;
    }
    if (fault === 'hang') {
      await sleep(60_000, undefined, { ref: false });
      return;
    }
    if (fault !== undefined) {
      response.writeHead(fault.status, fault.headers).end(fault.body ?? '');
      return;
    }
    if (ofStore) this.#serveObject(request, response, url, body);
    else this.#serveOperator(route, body, response);
  }

  #serveObject(request: IncomingMessage, response: ServerResponse, url: URL, body: Buffer): void {
    const key = decodeURIComponent(url.pathname.slice('/store/'.length));
    if (Number(url.searchParams.get('until')) < Date.now()) {
      response
        .writeHead(403)
        .end('<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>');
      return;
    }
    const known = this.objects.get(key);
    if (request.method === 'GET') {
      response.writeHead(known === undefined ? 404 : 200).end(known);
      return;
    }
    if (known !== undefined && request.headers['if-none-match'] === '*') {
      response.writeHead(412).end('<Error><Code>PreconditionFailed</Code></Error>');
      return;
    }
    this.objects.set(key, body);
    response.writeHead(200).end();
  }

  #serveOperator(route: string, body: Buffer, response: ServerResponse): void {
    const say = (reply: unknown): void => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(reply));
    };
    const asked: unknown = JSON.parse(body.toString('utf8'));
    if (route === ROUTES.grants) say(this.#grant(asked));
    else if (route === ROUTES.commit) say(this.commit);
    else if (route === ROUTES.report) {
      this.reports.push(body.toString('utf8'));
      say({});
    } else say({});
  }

  #grant(asked: unknown): unknown {
    const { put = [], get = [], list = [] } = grantRequest.parse(asked);
    const until = Date.now() + this.grantLife * 1000;
    const url = (key: string): string =>
      `${this.#url}/store/${encodeURIComponent(key)}?until=${until}&signature=secret`;
    const existing = [...this.objects.keys()].filter((key) =>
      list.some((stage) => key.startsWith(`${stage}/`)),
    );
    return {
      put: put.map((key) => ({ key, url: url(key), headers: { 'if-none-match': '*' } })),
      get: get.map((key) => ({ key, url: url(key) })),
      existing: existing.map((key) => ({ key, url: url(key), size: this.objects.get(key)?.length })),
      expiresAt: new Date(until).toISOString(),
    };
  }
}
