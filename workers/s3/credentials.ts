import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Credentials } from './sign.ts';

/** Gives the credentials to sign the next request with; called for every request, so implementations remember. */
export type CredentialSource = (signal: AbortSignal) => Promise<Credentials>;

/** No usable credentials: says where they were looked for, never what was found. */
export class CredentialsError extends Error {
  override readonly name = 'CredentialsError';
  readonly code = 'CredentialsMissing';
}

/** Milliseconds for which files are not read again; a rotated Secret is seen after this and the kubelet's own delay. */
const filesFreshFor = 10_000;
/** Credentials that die sooner than this are fetched again before use. */
const refreshBefore = 5 * 60_000;

/** Credentials that never change, for tests and for callers that hold them already. */
export function fixedCredentials(credentials: Credentials): CredentialSource {
  return async () => credentials;
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    const text = (await readFile(path, 'utf8')).trim();
    return text === '' ? undefined : text;
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) {
      return undefined;
    }
    throw error;
  }
}

/** The custom CA (PEM) that a mounted Secret brings along, if it has one. */
export async function readCa(directory: string): Promise<string | undefined> {
  return readOptional(join(directory, 'ca.crt'));
}

/** Reads AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN from files of these names in a mounted Secret. */
export function mountedCredentials(directory: string, now: () => number = Date.now): CredentialSource {
  let cached: { credentials: Credentials; readAt: number } | undefined;
  return async () => {
    if (cached !== undefined && now() - cached.readAt < filesFreshFor) return cached.credentials;
    const [accessKeyId, secretAccessKey, sessionToken] = await Promise.all([
      readOptional(join(directory, 'AWS_ACCESS_KEY_ID')),
      readOptional(join(directory, 'AWS_SECRET_ACCESS_KEY')),
      readOptional(join(directory, 'AWS_SESSION_TOKEN')),
    ]);
    if (accessKeyId === undefined || secretAccessKey === undefined) {
      const missing = accessKeyId === undefined ? 'AWS_ACCESS_KEY_ID' : 'AWS_SECRET_ACCESS_KEY';
      throw new CredentialsError(
        `the store's Secret has no ${missing}: it must hold AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`,
      );
    }
    cached = { credentials: { accessKeyId, secretAccessKey, sessionToken }, readAt: now() };
    return cached.credentials;
  };
}

/**
 * The environment's own credentials: the three AWS_ variables, else whatever the AWS SDK's default chain finds (web
 * identity, container or instance role). The SDK is loaded only when the variables are missing.
 */
export function ambientCredentials(env: Readonly<Record<string, string | undefined>>): CredentialSource {
  const accessKeyId = env['AWS_ACCESS_KEY_ID'];
  const secretAccessKey = env['AWS_SECRET_ACCESS_KEY'];
  // An empty variable is as good as none.
  if (accessKeyId && secretAccessKey) {
    return fixedCredentials({
      accessKeyId,
      secretAccessKey,
      sessionToken: env['AWS_SESSION_TOKEN'] || undefined,
    });
  }
  return rememberUntilExpiry(fetchFromChain);
}

/** What a profile of ~/.aws gives (keys, a role to assume, SSO, a process), whatever the environment says. */
export function profileCredentials(profile: string): CredentialSource {
  return rememberUntilExpiry(() => fetchFromProfile(profile));
}

function rememberUntilExpiry(fetch: () => Promise<Credentials>): CredentialSource {
  let pending: Promise<Credentials> | undefined;
  let until = 0;
  return async () => {
    if (pending === undefined || Date.now() > until - refreshBefore) {
      until = Number.POSITIVE_INFINITY;
      pending = fetch().then((credentials) => {
        until = credentials.expiration?.getTime() ?? Number.POSITIVE_INFINITY;
        return credentials;
      });
      pending.catch(() => {
        pending = undefined;
      });
    }
    return pending;
  };
}

async function fetchFromChain(): Promise<Credentials> {
  const { fromNodeProviderChain } = await import('@aws-sdk/credential-providers');
  try {
    return pick(await fromNodeProviderChain()());
  } catch (error) {
    throw new CredentialsError(
      "no credentials found: give the store a secretRef, or give the stage's service account a workload identity",
      { cause: error },
    );
  }
}

async function fetchFromProfile(profile: string): Promise<Credentials> {
  const { fromIni } = await import('@aws-sdk/credential-providers');
  try {
    return pick(await fromIni({ profile })());
  } catch (error) {
    throw new CredentialsError(`profile ${JSON.stringify(profile)} of ~/.aws gives no credentials`, {
      cause: error,
    });
  }
}

function pick({ accessKeyId, secretAccessKey, sessionToken, expiration }: Credentials): Credentials {
  return { accessKeyId, secretAccessKey, sessionToken, expiration };
}
