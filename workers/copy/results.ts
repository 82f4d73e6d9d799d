import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request, type Dispatcher } from 'undici';
import type { GetGrant, PutGrant } from '../contract/workerapi.ts';
import { Unavailable } from './problems.ts';
import type { WorkerApi } from './workerapi.ts';

/** Whether an object is now there by our hand, or was there before. */
export type PutOutcome = 'Stored' | 'Exists';

/** Milliseconds for one transfer, and for all its attempts. */
const transferTimeout = 60_000;
const patience = 5 * 60_000;
/** A grant with less life left than this (milliseconds) is asked for anew. */
const leastLife = 60_000;

/**
 * The run's part of the results bucket, seen through grants: only what the operator signs for this pod can be read or
 * written. Grants are asked for ahead, so that work goes on while the operator restarts.
 */
export class ResultsStore {
  readonly #api: WorkerApi;
  readonly #agent = new Agent({ connections: 8, connect: { timeout: 10_000 } });
  readonly #puts = new Map<string, { grant: PutGrant; until: number }>();
  readonly #patience: number;

  constructor(api: WorkerApi, options: { patience?: number } = {}) {
    this.#api = api;
    this.#patience = options.patience ?? patience;
  }

  /** What exists of a stage's plan and ledger, with URLs to read it. */
  async list(stage: string, signal: AbortSignal): Promise<ReadonlyMap<string, GetGrant>> {
    const { existing } = await this.#api.grant({ list: [stage] }, signal);
    return new Map(existing.map((grant) => [grant.key, grant]));
  }

  /** Gets the grants for keys that will be written soon. */
  async prepare(keys: readonly string[], signal: AbortSignal): Promise<void> {
    const missing = keys.filter((key) => (this.#puts.get(key)?.until ?? 0) - Date.now() < leastLife);
    if (missing.length === 0) return;
    const { put, expiresAt } = await this.#api.grant({ put: [...missing] }, signal);
    const until = new Date(expiresAt).getTime();
    for (const grant of put) this.#puts.set(grant.key, { grant, until });
  }

  /** Writes an object that must not exist yet. `Exists` may be our own write whose reply was lost. */
  async put(key: string, body: Uint8Array, signal: AbortSignal): Promise<PutOutcome> {
    const md5 = createHash('md5').update(body).digest('base64');
    const outcome = await this.#retried(key, signal, async (attemptSignal) => {
      await this.prepare([key], signal);
      const grant = this.#puts.get(key)?.grant;
      if (grant === undefined) throw new Unavailable(`the operator gave no URL to write ${key}`);
      const headers = { ...grant.headers, 'content-md5': md5 };
      const { status } = await this.#send(grant.url, { method: 'PUT', headers, body, signal: attemptSignal });
      if (status === 200) return 'Stored';
      if (status === 412) return 'Exists';
      if (status === 403) this.#puts.delete(key);
      return { status };
    });
    this.#puts.delete(key);
    return outcome;
  }

  /** Reads an object whole. */
  async get(grant: GetGrant, signal: AbortSignal): Promise<Buffer> {
    let current = grant;
    return this.#retried(grant.key, signal, async (attemptSignal) => {
      const { status, body } = await this.#send(current.url, { method: 'GET', signal: attemptSignal });
      if (status === 200) return body;
      if (status === 403) {
        const { get } = await this.#api.grant({ get: [grant.key] }, signal);
        current = get[0] ?? current;
      }
      return { status };
    });
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #send(
    url: string,
    options: Pick<Dispatcher.RequestOptions, 'method' | 'body' | 'headers'> & { signal: AbortSignal },
  ): Promise<{ status: number; body: Buffer }> {
    const response = await request(url, { ...options, dispatcher: this.#agent });
    const body = Buffer.from(await response.body.arrayBuffer());
    return { status: response.statusCode, body };
  }

  async #retried<T extends string | Buffer>(
    key: string,
    signal: AbortSignal,
    work: (attempt: AbortSignal) => Promise<T | { status: number }>,
  ): Promise<T> {
    const until = Date.now() + this.#patience;
    for (let attempt = 1; ; attempt += 1) {
      let failed = 'no answer';
      try {
        const result = await work(AbortSignal.any([signal, AbortSignal.timeout(transferTimeout)]));
        if (typeof result === 'string' || Buffer.isBuffer(result)) return result;
        failed = `status ${result.status}`;
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (isOurs(error)) throw error;
        // The message of a failed request has no URL in it: host and port at most.
        failed = error instanceof Error ? error.message : failed;
      }
      if (Date.now() >= until)
        throw new Unavailable(`the results store does not take or give ${key}: ${failed}`);
      await sleep(Math.random() * Math.min(5_000, 100 * 2 ** attempt), undefined, { signal });
    }
  }
}

function isOurs(error: unknown): boolean {
  return error instanceof Error && (error.name === 'ApiRefused' || error.name === 'Unavailable');
}

/** Lower-case hex SHA-256. */
export function sha256(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex');
}
