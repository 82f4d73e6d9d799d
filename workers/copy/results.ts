import { createHash } from 'node:crypto';
import type { WorkerApi } from '../api/client.ts';
import { WorkerApiError } from '../api/errors.ts';
import type { GetGrant, PutGrant } from '../contract/workerapi.ts';
import { Unavailable } from './problems.ts';

/** Whether an object is now there by our hand, or was there before. */
export type PutOutcome = 'Stored' | 'Exists';

/** A grant with less life left than this (milliseconds) is asked for anew. */
const leastLife = 60_000;
/** How often a new grant is asked for when the store does not take one (any more). */
const mostGrants = 3;

/**
 * The run's part of the results bucket, seen through grants: only what the operator signs for this pod can be read or
 * written. Grants are asked for ahead, so that work goes on while the operator restarts.
 */
export class ResultsStore {
  readonly #api: WorkerApi;
  readonly #options: { readonly patience?: number };
  readonly #puts = new Map<string, { readonly grant: PutGrant; readonly until: number }>();

  /** `patience`: milliseconds for which a store or operator that does not answer is waited for. */
  constructor(api: WorkerApi, options: { readonly patience?: number } = {}) {
    this.#api = api;
    this.#options = options;
  }

  /** What exists of a stage's plan and ledger, with URLs to read it. */
  async list(stage: string, signal: AbortSignal): Promise<ReadonlyMap<string, GetGrant>> {
    const { existing } = await this.#api.grants({ list: [stage] }, signal, this.#options);
    return new Map(existing.map((grant) => [grant.key, grant]));
  }

  /** Gets the grants for keys that will be written soon. */
  async prepare(keys: readonly string[], signal: AbortSignal): Promise<void> {
    const missing = keys.filter((key) => (this.#puts.get(key)?.until ?? 0) - Date.now() < leastLife);
    if (missing.length === 0) return;
    const { put, expiresAt } = await this.#api.grants({ put: missing }, signal, this.#options);
    const until = new Date(expiresAt).getTime();
    for (const grant of put) this.#puts.set(grant.key, { grant, until });
  }

  /** Writes an object that must not exist yet. `Exists` may be our own write whose reply was lost. */
  async put(key: string, body: Uint8Array, signal: AbortSignal): Promise<PutOutcome> {
    const md5 = createHash('md5').update(body).digest('base64');
    const outcome = await this.#regranted(async () => {
      await this.prepare([key], signal);
      const grant = this.#puts.get(key)?.grant;
      if (grant === undefined) throw new Unavailable(`the operator gave no URL to write ${key}`);
      this.#puts.delete(key);
      const headers = { ...grant.headers, 'content-md5': md5 };
      return this.#api.put({ ...grant, headers }, body, signal, this.#options);
    });
    return outcome === 'stored' ? 'Stored' : 'Exists';
  }

  /** Reads an object whole. */
  async get(grant: GetGrant, signal: AbortSignal): Promise<Buffer> {
    let current: GetGrant | undefined = grant;
    const body = await this.#regranted(async () => {
      current ??= (await this.#api.grants({ get: [grant.key] }, signal, this.#options)).get[0];
      const using = current;
      current = undefined;
      return using === undefined ? undefined : this.#api.get(using, signal, this.#options);
    });
    if (body === undefined) throw new Unavailable(`${grant.key} is no longer in the results store`);
    return body;
  }

  /** Repeats `work`, which takes a new grant every time, while the store refuses grants. */
  async #regranted<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        const refused = error instanceof WorkerApiError && error.code === 'GrantRefused';
        if (!refused || attempt >= mostGrants) throw error;
      }
    }
  }
}

/** Lower-case hex SHA-256. */
export function sha256(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex');
}
