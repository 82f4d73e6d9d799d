import { followSignal } from './aborting.ts';
import type { Credentials } from './sign.ts';

/** Gives the credentials to sign the next request with; called for every request, so implementations remember. */
export type CredentialSource = (signal: AbortSignal) => Promise<Credentials>;

/** No usable credentials: says where they were looked for, never what was found. */
export class CredentialsError extends Error {
  override readonly name = 'CredentialsError';
  readonly code = 'CredentialsMissing';
  /** Whether they may yet come: whoever gives them was slow, or has given some before. */
  readonly passing: boolean;

  constructor(
    message: string,
    { passing = false, ...options }: ErrorOptions & { readonly passing?: boolean } = {},
  ) {
    super(message, options);
    this.passing = passing;
  }
}

/** Credentials that never change, for tests and for callers that hold them already. */
export function fixedCredentials(credentials: Credentials): CredentialSource {
  return async () => credentials;
}

/** Milliseconds before they expire that credentials are fetched anew. */
const refreshBefore = 5 * 60_000;
/** Milliseconds between two renewals while the credentials that are there still count. */
const pause = 10_000;
/** Milliseconds that whoever gives credentials may take. */
const usualPatience = 60_000;

/**
 * Remembers what `fetch` gave and fetches anew before it expires, without keeping anybody waiting; where that fails, what
 * is there counts until it has really expired. All who wait at a time wait for one fetch.
 */
export function keepFresh(
  fetch: () => Promise<Credentials>,
  { now = Date.now, patience = usualPatience } = {},
): CredentialSource {
  let current: Credentials | undefined;
  let renewal: Promise<Credentials> | undefined;
  let begun = Number.NEGATIVE_INFINITY;

  const renew = async (): Promise<Credentials> => {
    begun = now();
    try {
      current = await within(patience, fetch());
      return current;
    } catch (error) {
      if (current === undefined || !(error instanceof CredentialsError)) throw error;
      throw new CredentialsError(error.message, { passing: true, cause: error });
    } finally {
      renewal = undefined;
    }
  };
  return async (signal) => {
    const left = current === undefined ? 0 : (current.expiration?.getTime() ?? Infinity) - now();
    if (current === undefined || left <= 0) return unlessAborted((renewal ??= renew()), signal);
    if (left < refreshBefore && renewal === undefined && now() - begun >= pause) {
      renewal = renew();
      // Whoever finds the present ones expired is told.
      renewal.catch(() => undefined);
    }
    return current;
  };
}

async function within<T>(patience: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const error = new CredentialsError(`no credentials came within ${patience / 1000} s`, { passing: true });
  const timer = setTimeout(() => late.reject(error), patience);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const unfollow = followSignal(signal, { abort: aborted.reject });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    unfollow();
  }
}
