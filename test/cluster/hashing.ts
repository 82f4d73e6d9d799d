import { createHash, type Hash } from 'node:crypto';
import { createReadStream, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

const ignored = new Set(['node_modules', '.git', 'dist', 'coverage', '.cache']);

async function addPath(hash: Hash, root: string, path: string): Promise<void> {
  const full = join(root, path);
  const status = lstatSync(full);
  if (status.isDirectory()) {
    for (const name of readdirSync(full).toSorted()) {
      if (!ignored.has(name)) await addPath(hash, root, join(path, name));
    }
    return;
  }
  hash.update(`\0${path}\0${status.mode & 0o111}\0`);
  if (status.isSymbolicLink()) hash.update(readlinkSync(full));
  else for await (const chunk of createReadStream(full)) hash.update(chunk);
}

/** A short name for exactly these contents: texts, and files or folders (recursive) below a root. */
export async function hashContents(
  texts: readonly string[],
  root = '/',
  paths: readonly string[] = [],
): Promise<string> {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(`${text.length}:${text}`);
  for (const path of [...paths].toSorted()) await addPath(hash, root, path);
  return hash.digest('hex').slice(0, 16);
}
