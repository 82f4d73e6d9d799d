import type { Logger } from 'pino';
import { WorkerApiError } from '../api/errors.ts';
import type { PutOutcome, WorkerApi } from '../api/client.ts';
import type { PutGrant } from '../contract/workerapi.ts';
import { throughGrant } from './throughgrant.ts';

/** Longest time between two grants, in milliseconds: timers and clocks drift. */
const longestPause = 3_600_000;
/** A worker whose clock is ahead takes every grant for dead; it must not ask all the time. */
const shortestPause = 30_000;

/**
 * Holds the grants for the documents that a worker writes at its end. They are asked for at its start and renewed at
 * half their life, so that an operator that is away when the worker ends costs nothing.
 */
export class GrantKeeper {
  readonly #api: Pick<WorkerApi, 'grants' | 'put'>;
  readonly #keys: readonly string[];
  readonly #log: Logger;
  readonly #stop = new AbortController();
  readonly #grants = new Map<string, PutGrant>();
  #pending: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(api: Pick<WorkerApi, 'grants' | 'put'>, keys: readonly string[], log: Logger) {
    this.#api = api;
    this.#keys = keys;
    this.#log = log;
  }

  /** Asks for the first grants in the background. */
  start(): void {
    this.#pending = this.#renew(this.#stop.signal, longestPause).catch((error: unknown) => {
      const message = error instanceof Error ? error.message : 'unknown failure';
      if (!this.#stop.signal.aborted) this.#log.warn({ message }, 'no grant yet');
      this.#schedule(60_000);
    });
  }

  /**
   * Writes a document, with the grant at hand, or a fresh one where there is none or the store refuses. `patience` in
   * milliseconds, for the operator and then for the store.
   */
  async put(key: string, body: Uint8Array, signal: AbortSignal, patience: number): Promise<PutOutcome> {
    const held = this.#grants.get(key) ?? (await this.#firstGrant(key, signal, patience));
    const renew = async (left: number): Promise<PutGrant> => {
      await this.#renew(signal, left);
      return this.#grant(key);
    };
    const transfer = (grant: PutGrant, left: number): Promise<PutOutcome> =>
      this.#api.put(grant, body, signal, { patience: left });
    return throughGrant(held, { renew, transfer, patience }, signal);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#stop.abort(new Error('the worker has ended'));
  }

  async #firstGrant(key: string, signal: AbortSignal, patience: number): Promise<PutGrant> {
    await Promise.race([this.#pending, this.#renew(signal, patience)]);
    return this.#grants.get(key) ?? (await this.#renew(signal, patience), this.#grant(key));
  }

  #grant(key: string): PutGrant {
    const grant = this.#grants.get(key);
    if (grant === undefined)
      throw new WorkerApiError(`grant for ${key}`, {
        code: 'BadReply',
        detail: 'the answer has no such grant',
      });
    return grant;
  }

  async #renew(signal: AbortSignal, patience: number): Promise<void> {
    const reply = await this.#api.grants({ put: [...this.#keys] }, signal, { patience });
    for (const grant of reply.put) this.#grants.set(grant.key, grant);
    this.#schedule((Date.parse(reply.expiresAt) - Date.now()) / 2);
  }

  #schedule(pause: number): void {
    clearTimeout(this.#timer);
    if (this.#stop.signal.aborted) return;
    this.#timer = setTimeout(() => this.start(), Math.min(longestPause, Math.max(shortestPause, pause)));
    this.#timer.unref();
  }
}
