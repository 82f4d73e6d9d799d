import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import type { WorkerEnvironment } from '../contract/environment.ts';
import {
  commitReply,
  grantReply,
  plannedReply,
  refusal,
  ROUTES,
  type CommitReply,
  type GetGrant,
  type GrantReply,
  type GrantRequest,
  type ProgressRequest,
  type PutGrant,
} from '../contract/workerapi.ts';
import { WorkerApiError } from './errors.ts';
import { retryUntil } from './retry.ts';
import { ApiTransport, type ApiAnswer } from './transport.ts';

/** Where the worker API is and how to prove who asks. */
export interface WorkerApiOptions {
  /** Base URL: https, or http to a loopback address. */
  readonly url: string;
  /** Name in the server's certificate; the URL has an address. */
  readonly serverName?: string | undefined;
  /** PEM of the only CA that the worker API is trusted by. */
  readonly ca?: string | undefined;
  /** PEM of a CA to trust for presigned URLs, besides the well-known ones. */
  readonly storeCA?: string | undefined;
  /** File with the token; read afresh for every attempt, because the kubelet rotates it. */
  readonly tokenFile: string;
}

/** How long a call is tried, in milliseconds. 0: once. */
export interface Patience {
  readonly patience?: number;
  /** Errors that the caller wants to judge itself, although they may heal. */
  readonly giveUp?: (error: WorkerApiError) => boolean;
}

/** `exists`: the key was already written (412), by an earlier try whose reply was lost, or by somebody else. */
export type PutOutcome = 'stored' | 'exists';

const apiTimeout = 30_000;
const storeTimeout = 300_000;
/** An operator that restarts on a new node is away for a minute or two. */
const defaultPatience = 5 * 60_000;

/**
 * The worker's side of the worker API, and of the presigned URLs it gives. Every attempt has a deadline; attempts are
 * repeated with jitter until the call's patience is used up; a refusal that time cannot heal is thrown at once.
 * All methods throw `WorkerApiError`, or the signal's reason.
 */
export class WorkerApi {
  readonly #base: URL;
  readonly #tokenFile: string;
  readonly #api: ApiTransport;
  readonly #store: ApiTransport;

  constructor(options: WorkerApiOptions) {
    this.#base = new URL(options.url);
    const loopback = ['127.0.0.1', '[::1]', 'localhost'].includes(this.#base.hostname);
    if (this.#base.protocol !== 'https:' && !(this.#base.protocol === 'http:' && loopback))
      throw new Error('the URL of the worker API must be https: a token travels with every call');
    this.#tokenFile = options.tokenFile;
    this.#api = new ApiTransport({ ca: options.ca, onlyThisCA: true, servername: options.serverName });
    this.#store = new ApiTransport({ ca: options.storeCA });
  }

  /** Presigned URLs for relative keys, and for what stages have already written. */
  async grants(request: GrantRequest, signal: AbortSignal, options: Patience = {}): Promise<GrantReply> {
    return this.#call(
      'grants',
      ROUTES.grants,
      request,
      (answer) => readReply('grants', grantReply, answer),
      options,
      signal,
    );
  }

  /** Says that the plan is stored and for how many workers; returns how many the stage's Job has by now. */
  async planned(workers: number, signal: AbortSignal, options: Patience = {}): Promise<number> {
    const read = (answer: ApiAnswer): number => readReply('planned', plannedReply, answer).workers;
    return this.#call('planned', ROUTES.planned, { workers }, read, options, signal);
  }

  /** Says how far the worker is. One try: the next one says it better. */
  async progress(request: ProgressRequest, signal: AbortSignal): Promise<void> {
    await this.#call('progress', ROUTES.progress, request, ignoreReply, { patience: 0 }, signal);
  }

  /** Asks to be the one pod whose outputs count. */
  async commit(signal: AbortSignal, options: Patience = {}): Promise<CommitReply> {
    return this.#call(
      'commit',
      ROUTES.commit,
      {},
      (answer) => readReply('commit', commitReply, answer),
      options,
      signal,
    );
  }

  /** Says that worker.json is stored; returns when the operator has read it. `sha256` of its bytes, in hex. */
  async report(sha256: string, signal: AbortSignal, options: Patience = {}): Promise<void> {
    await this.#call('report', ROUTES.report, { sha256 }, ignoreReply, options, signal);
  }

  /** Writes through a grant. `GrantRefused` (expired, most likely) asks for a new grant. */
  async put(
    grant: PutGrant,
    body: Uint8Array,
    signal: AbortSignal,
    options: Patience = {},
  ): Promise<PutOutcome> {
    const url = new URL(grant.url);
    const what = `PUT ${grant.key} to ${url.host}`;
    const request = {
      what,
      method: 'PUT',
      url,
      headers: grant.headers,
      body,
      timeout: storeTimeout,
    } as const;
    return this.#try(options, signal, async () => {
      const answer = await this.#store.send(request, signal);
      if (answer.status >= 200 && answer.status < 300) return 'stored';
      if (answer.status === 412) return 'exists';
      throw storeRefusal(what, answer);
    });
  }

  /** Reads through a grant; undefined when there is no such object. */
  async get(grant: GetGrant, signal: AbortSignal, options: Patience = {}): Promise<Buffer | undefined> {
    const url = new URL(grant.url);
    const what = `GET ${grant.key} from ${url.host}`;
    const request = { what, method: 'GET', url, headers: {}, timeout: storeTimeout } as const;
    return this.#try(options, signal, async () => {
      const answer = await this.#store.send(request, signal);
      if (answer.status === 200) return answer.body;
      if (answer.status === 404) return undefined;
      throw storeRefusal(what, answer);
    });
  }

  async close(): Promise<void> {
    await Promise.all([this.#api.close(), this.#store.close()]);
  }

  #try<T>(options: Patience, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return retryUntil(options.patience ?? defaultPatience, work, signal, options.giveUp);
  }

  async #call<T>(
    name: string,
    route: string,
    body: object,
    read: (answer: ApiAnswer) => T,
    options: Patience,
    signal: AbortSignal,
  ): Promise<T> {
    const url = new URL(route, this.#base);
    const what = `${name} of the worker API at ${url.host}`;
    return this.#try(options, signal, async () => {
      const token = (await readFile(this.#tokenFile, 'utf8')).trim();
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const bytes = Buffer.from(JSON.stringify(body));
      const answer = await this.#api.send(
        { what, method: 'POST', url, headers, body: bytes, timeout: apiTimeout },
        signal,
      );
      if (answer.status < 200 || answer.status >= 300) throw apiRefusal(what, answer);
      return read(answer);
    });
  }
}

/** The client that the environment of a worker describes. */
export function openWorkerApi(environment: WorkerEnvironment): WorkerApi {
  return new WorkerApi({
    url: environment.apiURL,
    serverName: environment.apiServerName,
    ca: environment.apiCA,
    storeCA: environment.apiCA,
    tokenFile: environment.tokenFile,
  });
}

function ignoreReply(): void {}

function readReply<T>(what: string, schema: z.ZodType<T>, answer: ApiAnswer): T {
  const parsed = schema.safeParse(parseJson(answer.body));
  if (parsed.success) return parsed.data;
  const detail = 'the answer is not what this version of Ebbflow expects';
  throw new WorkerApiError(`${what} of the worker API`, { code: 'BadReply', status: answer.status, detail });
}

function apiRefusal(what: string, answer: ApiAnswer): WorkerApiError {
  const said = refusal.safeParse(parseJson(answer.body)).data;
  return new WorkerApiError(what, {
    code: 'Refused',
    status: answer.status,
    refusal: said?.code,
    detail: said?.message ?? 'refused without a reason',
    retryAfter: answer.retryAfter,
  });
}

function storeRefusal(what: string, answer: ApiAnswer): WorkerApiError {
  const code = /<Code>([A-Za-z0-9]{1,64})<\/Code>/.exec(
    answer.body.subarray(0, 4096).toString('latin1'),
  )?.[1];
  const unsigned = answer.status === 400 || answer.status === 401 || answer.status === 403;
  return new WorkerApiError(what, {
    code: unsigned ? 'GrantRefused' : 'StoreRefused',
    status: answer.status,
    refusal: code,
    detail: `the results store refused: ${code ?? 'no reason given'}`,
    retryAfter: answer.retryAfter,
  });
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
