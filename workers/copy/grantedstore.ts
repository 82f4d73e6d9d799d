import { createHash } from 'node:crypto';
import type { WorkerApi } from '../api/client.ts';
import { WorkerApiError } from '../api/errors.ts';
import { listStored } from '../api/stored.ts';
import type { GetGrant, PutGrant } from '../contract/workerapi.ts';
import { Unavailable } from './problems.ts';
import type { PutOutcome, ResultsStore } from './results.ts';

/** A grant with less life left than this (milliseconds) is asked for anew. */
const leastLife = 60_000;
/** How often a new grant is asked for when the store does not take one (any more). */
const mostGrants = 3;
/** URLs of a listing that are kept, half a kilobyte each; those of the other keys are asked for when they are read. */
const mostKept = 20_000;

/**
 * The run's part of the results bucket, seen through grants: only what the operator signs for this pod can be read or
 * written. Grants are asked for ahead, so that work goes on while the operator restarts.
 */
export class GrantedStore implements ResultsStore {
  readonly #api: Pick<WorkerApi, 'grants' | 'put' | 'get'>;
  readonly #options: { readonly patience?: number };
  readonly #puts = new Map<string, { readonly grant: PutGrant; readonly until: number }>();
  /** URLs that came with the last listing; each is good for a while, then a new one is asked for. */
  readonly #gets = new Map<string, GetGrant>();

  /** `patience`: milliseconds for which a store or operator that does not answer is waited for. */
  constructor(api: Pick<WorkerApi, 'grants' | 'put' | 'get'>, options: { readonly patience?: number } = {}) {
    this.#api = api;
    this.#options = options;
  }

  async list(stage: string, signal: AbortSignal): Promise<ReadonlySet<string>> {
    return this.#list({ stage }, '', signal);
  }

  async listBelow(stage: string, prefix: string, signal: AbortSignal): Promise<ReadonlySet<string>> {
    return this.#list({ stage, after: prefix }, prefix, signal);
  }

  /** The keys from there on that begin with the prefix, up to the first that does not. */
  async #list(
    from: { readonly stage: string; readonly after?: string },
    prefix: string,
    signal: AbortSignal,
  ): Promise<ReadonlySet<string>> {
    this.#gets.clear();
    const keys = new Set<string>();
    for await (const page of listStored(this.#api, from, signal, this.#options))
      for (const grant of page) {
        if (!grant.key.startsWith(prefix)) return keys;
        keys.add(grant.key);
        if (this.#gets.size < mostKept) this.#gets.set(grant.key, grant);
      }
    return keys;
  }

  async prepare(keys: readonly string[], signal: AbortSignal): Promise<void> {
    const missing = keys.filter((key) => (this.#puts.get(key)?.until ?? 0) - Date.now() < leastLife);
    if (missing.length === 0) return;
    const { put, expiresAt } = await this.#api.grants({ put: missing }, signal, this.#options);
    const until = new Date(expiresAt).getTime();
    for (const grant of put) this.#puts.set(grant.key, { grant, until });
  }

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

  async get(key: string, signal: AbortSignal): Promise<Buffer> {
    const body = await this.#regranted(async () => {
      const grant = this.#gets.get(key) ?? (await this.#askToGet(key, signal));
      this.#gets.delete(key);
      return grant === undefined ? undefined : this.#api.get(grant, signal, this.#options);
    });
    if (body === undefined) throw new Unavailable(`${key} is no longer in the results store`);
    return body;
  }

  async #askToGet(key: string, signal: AbortSignal): Promise<GetGrant | undefined> {
    return (await this.#api.grants({ get: [key] }, signal, this.#options)).get[0];
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
