import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CredentialsError, type CredentialSource } from './credentials.ts';
import type { Credentials } from './sign.ts';

/** Milliseconds for which files are not read again; a rotated Secret is seen after this and the kubelet's own delay. */
const filesFreshFor = 10_000;

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
