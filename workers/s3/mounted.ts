import { readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { CredentialsError, type CredentialSource } from './credentials.ts';
import type { Credentials } from './sign.ts';

/** Milliseconds for which files are not read again; a rotated Secret is seen after this and the kubelet's own delay. */
const filesFreshFor = 10_000;

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    const text = (await readFile(path, 'utf8')).trim();
    return text === '' ? undefined : text;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/**
 * Where the files of a mounted Secret are: the kubelet changes them all at once, by a new target of `..data`, and then
 * deletes the old ones. A folder that it did not make has no such link.
 */
async function currentFolder(directory: string): Promise<string> {
  try {
    return await realpath(join(directory, '..data'));
  } catch (error) {
    if (isMissing(error)) return directory;
    throw error;
  }
}

/** The custom CA (PEM) that a mounted Secret brings along, if it has one. */
export async function readCa(directory: string): Promise<string | undefined> {
  return readOptional(join(directory, 'ca.crt'));
}

/** Reads files that belong together; undefined for those that are not there. */
async function readTogether(
  directory: string,
  names: readonly string[],
): Promise<readonly (string | undefined)[]> {
  for (;;) {
    const folder = await currentFolder(directory);
    const texts = await Promise.all(names.map((name) => readOptional(join(folder, name))));
    if ((await currentFolder(directory)) === folder) return texts;
  }
}

/** Reads AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN from files of these names in a mounted Secret. */
export function mountedCredentials(directory: string, now: () => number = Date.now): CredentialSource {
  let cached: { credentials: Credentials; readAt: number } | undefined;
  return async () => {
    if (cached !== undefined && now() - cached.readAt < filesFreshFor) return cached.credentials;
    const names = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'];
    const [accessKeyId, secretAccessKey, sessionToken] = await readTogether(directory, names);
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
