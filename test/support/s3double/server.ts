import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { listen, stopServer } from '../grants.ts';
import { answerError, type Answer } from './answer.ts';
import { Generated } from './content.ts';
import { FaultProgram } from './faults.ts';
import { perform } from './operations.ts';
import { errorDocument, Refusal } from './refusal.ts';
import { copySourceOf, parseRequest, sayRequest, type DoubleRequest } from './request.ts';
import { doubleSetup, type DoubleSetup, type Fault } from './setup.ts';
import { Store } from './store.ts';
import { TokenBucket, type LimitCounts } from './throttle.ts';

/** What a double has done so far. */
export interface DoubleStats {
  /** Requests by operation, refused ones included. */
  readonly requests: Readonly<Record<string, number>>;
  /** In the order of the setup's limits. */
  readonly limits: readonly LimitCounts[];
}

/** A running double. It checks no signatures. */
export interface S3Double {
  readonly endpoint: string;
  readonly store: Store;
  /** Every request about an object or listing, as `Operation bucket/key`, while `recording`. */
  readonly seen: string[];
  recording: boolean;
  /** Replaces the faults; counts start anew. */
  setFaults(faults: NonNullable<DoubleSetup['faults']>): void;
  stats(): DoubleStats;
  stop(): Promise<void>;
}

/** Its own statistics, for those in other processes. */
export const STATS_PATH = '/_double/stats';

/** Starts a double on loopback, on a free port unless one is given. */
export async function startDouble(given: DoubleSetup, port = 0): Promise<S3Double> {
  const setup = doubleSetup.parse(given);
  const store = new Store(setup);
  const limits = setup.limits.map((limit) => new TokenBucket(limit));
  const requests = new Map<string, number>();
  let faults = new FaultProgram(setup.faults);

  const answerTo = (request: DoubleRequest): { answer: Answer; fault: Fault | undefined } => {
    requests.set(request.operation, (requests.get(request.operation) ?? 0) + 1);
    if (double.recording) double.seen.push(sayRequest(request));
    for (const limit of limits) {
      const refused = limit.covers(request) ? limit.take() : undefined;
      if (refused !== undefined) return { answer: refused, fault: undefined };
    }
    const fault = faults.next(request);
    if (fault?.kind === 'changeSource') changeSource(store, request);
    if (fault?.kind === 'intrude') intrude(store, request);
    const instead = fault === undefined ? undefined : answerInstead(fault);
    return { answer: instead ?? performOrRefuse(store, request), fault };
  };

  const handle = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = 'GET', url = '/', headers } = incoming;
    const body = await receive(incoming);
    if (url === STATS_PATH) {
      response.end(JSON.stringify(double.stats()));
      return;
    }
    const { answer, fault } = answerTo(parseRequest(method, url, headers, body));
    if (fault?.kind === 'stall') return;
    if (fault?.kind === 'reset' || fault?.kind === 'resetAfter') incoming.socket.destroy();
    else await send(response, fault === undefined ? answer : spoil(answer, fault));
  };

  const server = createServer({ keepAliveTimeout: 60_000 }, (incoming, response) => {
    handle(incoming, response).catch(() => incoming.socket.destroy());
  });
  const double: S3Double = {
    endpoint: await listen(server, port),
    store,
    seen: [],
    recording: false,
    setFaults: (next) => {
      faults = new FaultProgram(doubleSetup.shape.faults.parse(next));
    },
    stats: () => ({ requests: Object.fromEntries(requests), limits: limits.map(({ counts }) => counts) }),
    stop: () => stopServer(server),
  };
  return double;
}

const nothing = Buffer.alloc(0);

async function receive(incoming: IncomingMessage): Promise<Buffer> {
  // Most requests have no body: no reason to wait for its end.
  const { 'content-length': length, 'transfer-encoding': encoding } = incoming.headers;
  if ((length === undefined || length === '0') && encoding === undefined) return nothing;
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

function performOrRefuse(store: Store, request: DoubleRequest): Answer {
  try {
    return perform(store, request);
  } catch (error) {
    if (error instanceof Refusal) return answerError(error);
    throw error;
  }
}

function changeSource(store: Store, request: DoubleRequest): void {
  const copying = request.headers['x-amz-copy-source'] !== undefined;
  const { bucket, key } = copying ? copySourceOf(request) : request;
  store.change(store.bucket(bucket), key);
}

function intrude(store: Store, request: DoubleRequest): void {
  const source = copySourceOf(request);
  const { size } = store.read(store.bucket(source.bucket), source.key).content;
  const content = new Generated(0xfffffffe, size);
  store.write(store.bucket(request.bucket), { key: request.key, content, headers: {}, tagging: '' });
}

/** The answer of faults that keep the operation from being done. */
function answerInstead({ kind, status, code, retryAfter }: Fault): Answer | undefined {
  if (kind === 'answer') return answerError({ status, code, message: code }, retryAfter);
  if (kind === 'answerIn200') return { status: 200, headers: {}, body: errorDocument(code) };
  if (kind === 'empty' || kind === 'reset' || kind === 'stall') return { status: 200, headers: {}, body: '' };
  return undefined;
}

function spoil(answer: Answer, { kind }: Fault): Answer {
  if (kind === 'emptyAfter') return { status: 200, headers: {}, body: '' };
  if (kind !== 'truncate' || !(typeof answer.body === 'string' || Buffer.isBuffer(answer.body)))
    return answer;
  return { ...answer, body: Buffer.from(answer.body).subarray(0, answer.body.length >> 1) };
}

async function send(response: ServerResponse, { status, headers, body }: Answer): Promise<void> {
  if (typeof body === 'string' || Buffer.isBuffer(body)) {
    const length = headers['content-length'] ?? String(Buffer.byteLength(body));
    response.writeHead(status, { ...headers, 'content-length': length }).end(body);
    return;
  }
  response.writeHead(status, headers);
  await pipeline(body, response);
}
