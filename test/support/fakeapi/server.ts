import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { ClusterAccess } from '../../../operator/kube/kubeconfig.ts';
import { isRecord } from '../../../operator/kube/records.ts';
import type { KubeObject } from '../../../operator/kube/types.ts';
import { type Fault, isWatchFault, type PlannedFault } from './faults.ts';
import { mergePatch } from './merge.ts';
import { readSelector } from './selector.ts';
import { makeStatus } from './status.ts';
import { serveWatch } from './watch.ts';
import { World } from './world.ts';

/** One request as it arrived. */
export interface SeenRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  watch: boolean;
  headers: IncomingMessage['headers'];
  body: string;
}

export interface FakeApiOptions {
  /** Between bookmarks, in milliseconds; 10 unless given. */
  bookmarkMs?: number;
  /** A watch ends no later than this, whatever its client asked, in milliseconds; unlimited unless given. */
  maximumWatchMs?: number;
  /** Whether a log that is followed ends, as that of a container which has ended does. */
  endLogs?: boolean;
}

/**
 * A small API server on the loopback interface that keeps the promises of the real one (growing versions, 409, 410,
 * watches from history) and breaks them on demand. It knows no schemas.
 */
export class FakeApi {
  readonly world = new World();
  readonly requests: SeenRequest[] = [];
  /** Log lines by `namespace/pod/container`. */
  readonly logs = new Map<string, string>();
  /** Answers of token reviews by token. */
  readonly tokens = new Map<string, object>();
  readonly #faults: PlannedFault[] = [];
  readonly #server: Server;
  readonly #options: FakeApiOptions;

  constructor(options: FakeApiOptions = {}) {
    this.#options = options;
    this.#server = createServer((request, response) => {
      response.on('error', () => undefined);
      this.#serve(request, response).catch((error: unknown) => {
        send(response, 500, makeStatus(500, 'InternalError', String(error)));
      });
    });
  }

  async start(port = 0): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', resolve);
    });
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the server does not listen');
    return address.port;
  }

  get access(): ClusterAccess {
    return {
      server: `http://127.0.0.1:${this.port}`,
      namespace: 'default',
      authorization: () => Promise.resolve('Bearer planted-secret-token'),
    };
  }

  /** Cuts every open connection now. */
  cutConnections(): void {
    this.#server.closeAllConnections();
  }

  /** Plans faults: each strikes the first fitting request, in this order. */
  plan(...faults: PlannedFault[]): void {
    this.#faults.push(...faults);
  }

  get plannedFaults(): number {
    return this.#faults.length;
  }

  count(test: (request: SeenRequest) => boolean): number {
    return this.requests.filter(test).length;
  }

  #takeFault(kind: PlannedFault['on'], path: string): Fault | undefined {
    const index = this.#faults.findIndex(
      ({ on, of = '' }) => (on === kind || on === 'any') && path.endsWith(of),
    );
    return index === -1 ? undefined : this.#faults.splice(index, 1)[0]?.fault;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) if (chunk instanceof Buffer) chunks.push(chunk);
    const url = new URL(request.url ?? '/', 'http://fake');
    const seen: SeenRequest = {
      method: request.method ?? 'GET',
      path: decodeURIComponent(url.pathname),
      query: url.searchParams,
      watch: url.searchParams.get('watch') === 'true',
      headers: request.headers,
      body: Buffer.concat(chunks).toString('utf8'),
    };
    this.requests.push(seen);
    const kind = kindOf(seen);
    const fault = this.#takeFault(kind, seen.path);
    switch (fault?.kind) {
      case 'reset':
        response.destroy();
        return;
      case 'hang':
        return;
      case 'status':
        sendFault(response, fault);
        return;
      case 'lostAnswer':
        this.#answer(seen);
        response.destroy();
        return;
      case undefined:
      case 'halfBody':
      case 'halfLine':
      case 'break':
      case 'end':
      case 'silent':
      case 'expire':
      case 'errorLine':
      case 'garbage':
      case 'duplicate':
      case 'shred':
    }
    if (kind === 'watch') {
      this.#watch(seen, response, fault);
      return;
    }
    if (seen.path.endsWith('/log')) {
      this.#log(seen, response);
      return;
    }
    const { code, body } = this.#answer(seen);
    if (fault?.kind !== 'halfBody') {
      send(response, code, body);
      return;
    }
    const text = JSON.stringify(body);
    response.writeHead(code, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
    });
    response.write(text.slice(0, Math.floor(text.length / 2)), () => response.destroy());
  }

  #watch(seen: SeenRequest, response: ServerResponse, fault: Fault | undefined): void {
    const from = Number(seen.query.get('resourceVersion') ?? this.world.version);
    if (from < this.world.oldest) {
      const status = makeStatus(410, 'Expired', `too old resource version: ${from}`);
      send(response, 200, { type: 'ERROR', object: status }, '\n');
      return;
    }
    if (from > this.world.version) {
      const causes = [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }];
      const message = `Too large resource version: ${from}, current: ${this.world.version}`;
      send(response, 504, makeStatus(504, 'Timeout', message, { causes }));
      return;
    }
    const asked = Number(seen.query.get('timeoutSeconds') ?? 1800) * 1000;
    serveWatch(response, this.world, {
      collection: seen.path,
      from,
      selects: readSelector(seen.query.get('labelSelector')),
      timeoutMs: Math.min(asked, this.#options.maximumWatchMs ?? asked),
      bookmarkMs: this.#options.bookmarkMs ?? 10,
      fault: isWatchFault(fault) ? fault : undefined,
    });
  }

  #log(seen: SeenRequest, response: ServerResponse): void {
    const [, namespace, pod] = /\/namespaces\/([^/]+)\/pods\/([^/]+)\/log$/.exec(seen.path) ?? [];
    const text = this.logs.get(`${namespace}/${pod}/${seen.query.get('container')}`);
    if (text === undefined) {
      send(response, 404, makeStatus(404, 'NotFound', 'no such pod'));
      return;
    }
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.write(text);
    if (seen.query.get('follow') !== 'true' || this.#options.endLogs === true) response.end();
  }

  #answer(seen: SeenRequest): { code: number; body: unknown } {
    const { world } = this;
    const path = seen.path.replace(/\/status$/, '');
    const collection = kindOf(seen) === 'list';
    if (path === '/version') return { code: 200, body: { major: '1', minor: '34' } };
    const input: unknown = seen.body === '' ? {} : JSON.parse(seen.body);
    const body = isRecord(input) ? input : {};
    const old = world.get(path);
    const notFound = { code: 404, body: makeStatus(404, 'NotFound', `${path} not found`) };
    const conflict = { code: 409, body: makeStatus(409, 'Conflict', 'the object has been modified') };
    switch (seen.method) {
      case 'GET': {
        if (!collection) return old === undefined ? notFound : { code: 200, body: old };
        return this.#list(seen);
      }
      case 'POST': {
        if (path.endsWith('/tokenreviews')) return { code: 201, body: this.#review(body) };
        const object = toObject(body);
        const created = `${path}/${object.metadata.name}`;
        if (world.get(created) !== undefined) {
          return { code: 409, body: makeStatus(409, 'AlreadyExists', `${created} already exists`) };
        }
        return { code: 201, body: world.put(created, object) };
      }
      case 'PUT': {
        if (old === undefined) return notFound;
        const object = toObject(body);
        const expected = object.metadata.resourceVersion;
        if (expected !== undefined && expected !== old.metadata.resourceVersion) return conflict;
        return { code: 200, body: world.put(path, object) };
      }
      case 'PATCH': {
        const apply = seen.headers['content-type'] === 'application/apply-patch+yaml';
        if (old === undefined && !apply) return notFound;
        const expected = toObject(body).metadata.resourceVersion;
        if (expected !== undefined && expected !== old?.metadata.resourceVersion) return conflict;
        return { code: 200, body: world.put(path, toObject(mergePatch(old ?? {}, body))) };
      }
      case 'DELETE': {
        if (old === undefined) return notFound;
        const wanted = isRecord(body['preconditions']) ? body['preconditions'] : {};
        if (wanted['uid'] !== undefined && wanted['uid'] !== old.metadata.uid) return conflict;
        world.delete(path);
        return { code: 200, body: { kind: 'Status', status: 'Success' } };
      }
      default:
        return { code: 405, body: makeStatus(405, 'MethodNotAllowed', seen.method) };
    }
  }

  #list(seen: SeenRequest): { code: number; body: unknown } {
    const { world } = this;
    const asked = Number(seen.query.get('resourceVersion') ?? 0);
    if (asked > world.version) {
      const causes = [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }];
      return { code: 504, body: makeStatus(504, 'Timeout', 'Too large resource version', { causes }) };
    }
    const all = world.list(seen.path).filter(readSelector(seen.query.get('labelSelector')));
    const limit = Number(seen.query.get('limit') ?? all.length);
    const start = Number(seen.query.get('continue') ?? 0);
    const next = start + limit < all.length ? String(start + limit) : undefined;
    const metadata = { resourceVersion: String(world.version), continue: next };
    return { code: 200, body: { kind: 'List', metadata, items: all.slice(start, start + limit) } };
  }

  #review(body: Record<string, unknown>): object {
    const spec = isRecord(body['spec']) ? body['spec'] : {};
    return { ...body, status: this.tokens.get(String(spec['token'])) ?? { authenticated: false } };
  }
}

function kindOf(seen: SeenRequest): PlannedFault['on'] {
  if (seen.method !== 'GET') return 'write';
  if (seen.watch) return 'watch';
  // A collection's path ends in a resource, one object's in its name: …/jobs against …/jobs/x.
  const parts = seen.path.replace(/\/namespaces\/[^/]+/, '').split('/').length;
  return parts === (seen.path.startsWith('/apis/') ? 5 : 4) ? 'list' : 'get';
}

function toObject(value: unknown): KubeObject {
  const record = isRecord(value) ? value : {};
  const metadata = isRecord(record['metadata']) ? record['metadata'] : {};
  return { ...record, metadata };
}

function sendFault(response: ServerResponse, fault: Extract<Fault, { kind: 'status' }>): void {
  if (fault.retryAfterSeconds !== undefined)
    response.setHeader('retry-after', String(fault.retryAfterSeconds));
  if (fault.plain === true) {
    response.writeHead(fault.code, { 'content-type': 'text/plain' });
    response.end('upstream failure');
    return;
  }
  const status = makeStatus(fault.code, fault.reason ?? '', 'planned', { causes: fault.causes });
  send(response, fault.code, status);
}

function send(response: ServerResponse, code: number, body: unknown, end = ''): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body) + end);
}
