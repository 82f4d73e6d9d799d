/**
 * Reading a directory that a user's program wrote, and may still be writing: every step is taken from an open
 * directory, and never through a symbolic link, so that no trick with names leads to a file of ours.
 */
import { constants } from 'node:fs';
import { open, readdir, type FileHandle } from 'node:fs/promises';
import { quotePath } from './filepath.ts';

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/** A file that cannot be stored as it is. */
export class BadOutputError extends Error {
  override readonly name = 'BadOutputError';
  readonly code = 'BadOutput';
}

/** Something in an output directory that is not a regular file and stays behind. */
export interface SkippedEntry {
  readonly path: string;
  readonly kind: 'symbolic link' | 'special file';
}

/** Opens `path` (slashes between plain names, empty for the root itself) below `root` without following any link. */
export async function openBelow(root: string, path: string, directory: boolean): Promise<FileHandle> {
  const names = path === '' ? [] : path.split('/');
  let handle = await open(root, O_RDONLY | O_DIRECTORY);
  for (const [index, name] of names.entries()) {
    const last = index === names.length - 1;
    const kind = !last || directory ? O_DIRECTORY : O_NONBLOCK;
    const parent = handle;
    try {
      // The kernel resolves this from the open directory, wherever its name points to by now.
      handle = await open(`/proc/self/fd/${parent.fd}/${name}`, O_RDONLY | O_NOFOLLOW | kind);
    } finally {
      await parent.close();
    }
  }
  return handle;
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** All regular files below a directory, as paths relative to it, in the order of their names. */
export async function* walkFiles(
  root: string,
  skip: (entry: SkippedEntry) => void,
  signal: AbortSignal,
  path = '',
): AsyncGenerator<string> {
  signal.throwIfAborted();
  const handle = await openBelow(root, path, true);
  let entries;
  try {
    entries = await readdir(`/proc/self/fd/${handle.fd}`, { withFileTypes: true, encoding: 'buffer' });
  } finally {
    await handle.close();
  }
  entries.sort((a, b) => a.name.compare(b.name));
  for (const entry of entries) {
    const below = path === '' ? decodeName(entry.name, path) : `${path}/${decodeName(entry.name, path)}`;
    if (entry.isDirectory()) yield* walkFiles(root, skip, signal, below);
    else if (entry.isFile()) yield below;
    else skip({ path: below, kind: entry.isSymbolicLink() ? 'symbolic link' : 'special file' });
  }
}

function decodeName(name: Uint8Array, directory: string): string {
  try {
    return strictUtf8.decode(name);
  } catch {
    const shown = Buffer.from(name)
      .toString('latin1')
      .replace(/[^!-~]/g, '?');
    const where = directory === '' ? 'the output directory' : quotePath(directory);
    throw new BadOutputError(`a file name in ${where} is not UTF-8 (${shown}): object keys must be`);
  }
}
