/** Token -> pod, as the API server itself says it. Only good answers are remembered, by the hash of the token. */
import { createHash } from 'node:crypto';
import { TOKEN_AUDIENCE } from '../api/names.ts';
import type { Clock } from '../kube/clock.ts';
import type { TokenReviewStatus } from '../kube/types.ts';
import { CallRefused } from './errors.ts';

/** The pod that a token is bound to. */
export interface TokenSubject {
  namespace: string;
  podName: string;
  podUID: string;
}

export interface TokenReviewerOptions {
  tokenReview: (
    token: string,
    audiences: readonly string[],
    signal: AbortSignal,
  ) => Promise<TokenReviewStatus>;
  clock: Clock;
  /** Milliseconds for which an answer is believed; 60,000 unless given, and never more. */
  cacheMs?: number;
}

const MAX_CACHE_MS = 60_000;
const MAX_CACHED = 20_000;
/** Most reviews under way. */
const MAX_REVIEWS = 100;
/** Projected tokens have about 1,200 characters. */
const MAX_TOKEN_LENGTH = 8192;
const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const USERNAME = /^system:serviceaccount:([a-z0-9-]{1,63}):[a-z0-9.-]{1,253}$/;

interface Cached {
  subject: TokenSubject;
  until: number;
}

export class TokenReviewer {
  readonly #options: TokenReviewerOptions;
  readonly #cache = new Map<string, Cached>();
  /** Reviews under way: many requests of one pod at once are one question. */
  readonly #pending = new Map<string, Promise<TokenSubject>>();

  constructor(options: TokenReviewerOptions) {
    this.#options = options;
  }

  /** @throws CallRefused Unauthenticated, NotAWorker (a token of no pod) or ReviewUnavailable. */
  async review(authorization: string | undefined, signal: AbortSignal): Promise<TokenSubject> {
    const token = readBearer(authorization);
    const hash = createHash('sha256').update(token).digest('base64');
    const cached = this.#cache.get(hash);
    if (cached !== undefined && cached.until > this.#options.clock.monotonicMs()) return cached.subject;
    this.#cache.delete(hash);
    let pending = this.#pending.get(hash);
    if (pending === undefined) {
      // Anybody in the cluster can make up tokens; workers that are turned away come again.
      if (this.#pending.size >= MAX_REVIEWS) throw new CallRefused('ReviewUnavailable');
      pending = this.#ask(token, hash, signal).finally(() => this.#pending.delete(hash));
      this.#pending.set(hash, pending);
    }
    return pending;
  }

  async #ask(token: string, hash: string, signal: AbortSignal): Promise<TokenSubject> {
    const { clock, tokenReview, cacheMs } = this.#options;
    const asked = clock.monotonicMs();
    let status: TokenReviewStatus;
    try {
      status = await tokenReview(token, [TOKEN_AUDIENCE], signal);
    } catch (error) {
      throw new CallRefused('ReviewUnavailable', { cause: error });
    }
    const subject = readSubject(status);
    const lifetime = Math.min(cacheMs ?? MAX_CACHE_MS, MAX_CACHE_MS, remainingMs(token, clock.now()));
    const [oldest] = this.#cache.keys();
    if (this.#cache.size >= MAX_CACHED && oldest !== undefined) this.#cache.delete(oldest);
    if (lifetime > 0) this.#cache.set(hash, { subject, until: asked + lifetime });
    return subject;
  }
}

function readBearer(authorization: string | undefined): string {
  const token = /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
  if (token === undefined || token.length > MAX_TOKEN_LENGTH || !TOKEN.test(token))
    throw new CallRefused('Unauthenticated');
  return token;
}

/** What the answer says about the pod. Everything that is not exactly as it must be is a refusal. */
function readSubject(status: TokenReviewStatus): TokenSubject {
  if (status.authenticated !== true || status.audiences?.includes(TOKEN_AUDIENCE) !== true)
    throw new CallRefused('Unauthenticated');
  const namespace = USERNAME.exec(status.user?.username ?? '')?.[1];
  const podName = single(status.user?.extra?.['authentication.kubernetes.io/pod-name']);
  const podUID = single(status.user?.extra?.['authentication.kubernetes.io/pod-uid']);
  if (namespace === undefined || podName === undefined || podUID === undefined)
    throw new CallRefused('NotAWorker');
  return { namespace, podName, podUID };
}

function single(values: readonly string[] | undefined): string | undefined {
  return values?.length === 1 && values[0] !== '' ? values[0] : undefined;
}

/** The life that is left of a token the server has just accepted, by its own claim; a cache must not outlive it. */
function remainingMs(token: string, now: Date): number {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
    if (typeof claims === 'object' && claims !== null && 'exp' in claims && typeof claims.exp === 'number')
      return claims.exp * 1000 - now.getTime();
  } catch {
    // Not a token that says when it ends.
  }
  return 0;
}
