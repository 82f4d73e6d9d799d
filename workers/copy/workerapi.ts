import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import type { WorkerEnvironment } from '../contract/environment.ts';
import {
  grantReply,
  refusal,
  ROUTES,
  type GrantReply,
  type GrantRequest,
  type ProgressRequest,
} from '../contract/workerapi.ts';
import { Unavailable } from './problems.ts';

/** The operator said no: this pod is fenced, or asks for what is not its own. Asking again does not help. */
export class ApiRefused extends Error {
  override readonly name = 'ApiRefused';
  readonly code = 'ApiRefused';
  readonly status: number;

  constructor(route: string, status: number, said: string) {
    super(`the operator refused ${route} (${status}): ${said}`);
    this.status = status;
  }
}

/** Milliseconds for one call. */
const callTimeout = 15_000;
/** Milliseconds for which an operator that does not answer is waited for: it may be restarting on another node. */
const patience = 5 * 60_000;

type ApiEnvironment = Pick<WorkerEnvironment, 'apiURL' | 'apiCA' | 'apiServerName' | 'tokenFile'>;

/** The worker API as a copy worker uses it. The token is read afresh for every call. `close` ends the connections. */
export class WorkerApi {
  readonly #pool: Pool;
  readonly #tokenFile: string;
  readonly #patience: number;

  constructor(env: ApiEnvironment, options: { patience?: number } = {}) {
    const connect = { ca: env.apiCA, servername: env.apiServerName, timeout: callTimeout };
    this.#pool = new Pool(new URL(env.apiURL).origin, { connections: 4, connect });
    this.#tokenFile = env.tokenFile;
    this.#patience = options.patience ?? patience;
  }

  /** Presigned URLs for keys relative to the run. */
  async grant(request: GrantRequest, signal: AbortSignal): Promise<GrantReply> {
    return grantReply.parse(await this.#post(ROUTES.grants, request, this.#patience, signal));
  }

  /** Says how far the worker is. Not tried again: the next one follows soon. */
  async progress(request: ProgressRequest, signal: AbortSignal): Promise<void> {
    await this.#post(ROUTES.progress, request, 0, signal);
  }

  /** Says that worker.json is stored; returns when the operator has seen it there. */
  async report(sha256: string, signal: AbortSignal): Promise<void> {
    await this.#post(ROUTES.report, { sha256 }, this.#patience, signal);
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  async #post(route: string, body: unknown, patient: number, signal: AbortSignal): Promise<unknown> {
    const until = Date.now() + patient;
    for (let attempt = 1; ; attempt += 1) {
      const result = await this.#attempt(route, body, signal);
      if ('value' in result) return result.value;
      if (Date.now() >= until)
        throw new Unavailable(`the operator does not answer ${route}: ${result.failed}`);
      await sleep(Math.random() * Math.min(5_000, 100 * 2 ** attempt), undefined, { signal });
    }
  }

  async #attempt(
    route: string,
    body: unknown,
    signal: AbortSignal,
  ): Promise<{ readonly value: unknown } | { readonly failed: string }> {
    signal.throwIfAborted();
    const token = (await readFile(this.#tokenFile, 'utf8')).trim();
    let status: number;
    let text: string;
    try {
      const response = await this.#pool.request({
        method: 'POST',
        path: route,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.any([signal, AbortSignal.timeout(callTimeout)]),
      });
      status = response.statusCode;
      text = await response.body.text();
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      return { failed: error instanceof Error ? error.message : 'no answer' };
    }
    if (status >= 200 && status < 300) return { value: text === '' ? undefined : readJson(text) };
    const said = refusal.safeParse(readJson(text)).data?.message ?? 'no reason given';
    const passes = status >= 500 || status === 408 || status === 409 || status === 425 || status === 429;
    if (!passes) throw new ApiRefused(route, status, said);
    return { failed: `${status} ${said}` };
  }
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
