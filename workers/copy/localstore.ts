import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rm, unlink } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { ledgerPrefix, planPrefix } from '../contract/keys.ts';
import { Unavailable } from './problems.ts';
import type { PutOutcome, ResultsStore } from './results.ts';

/** Where files are written before they get their name; what a crash leaves there is garbage. */
const unfinished = 'unfinished';

/**
 * Plan and ledger in a directory of this machine: a file per key, at the key's own path. A file gets its name only when
 * all of it is on the disk, and only if nothing has that name, so a crash leaves whole files or none.
 */
export class LocalStore implements ResultsStore {
  readonly #root: string;
  /** Directories whose entry in their parent is on the disk. */
  readonly #made = new Set<string>();

  constructor(root: string) {
    this.#root = root;
  }

  async list(stage: string): Promise<ReadonlySet<string>> {
    const plan = await this.listBelow(stage, planPrefix(stage));
    return new Set([...plan, ...(await this.listBelow(stage, ledgerPrefix(stage)))]);
  }

  async listBelow(_stage: string, prefix: string): Promise<ReadonlySet<string>> {
    const found = await readEntries(join(this.#root, prefix));
    const keyOf = (path: string): string => path.slice(this.#root.length + 1).replaceAll(sep, '/');
    return new Set(found.map(({ parentPath, name }) => keyOf(join(parentPath, name))));
  }

  async prepare(): Promise<void> {}

  async put(key: string, body: Uint8Array, signal: AbortSignal): Promise<PutOutcome> {
    signal.throwIfAborted();
    const path = join(this.#root, key);
    try {
      await this.#makeDirectory(join(this.#root, unfinished));
      await this.#makeDirectory(dirname(path));
      return await writeOnce(join(this.#root, unfinished, randomUUID()), path, body);
    } catch (error) {
      throw new Unavailable(`${path} cannot be written: ${describe(error)}`, { cause: error });
    }
  }

  async get(key: string, signal: AbortSignal): Promise<Buffer> {
    const path = join(this.#root, key);
    signal.throwIfAborted();
    try {
      return await readFile(path);
    } catch (error) {
      throw new Unavailable(`${path} cannot be read: ${describe(error)}`, { cause: error });
    }
  }

  /** Removes what a crash left half-written. Not to be called while another process works in this directory. */
  async tidy(): Promise<void> {
    await rm(join(this.#root, unfinished), { recursive: true, force: true });
    this.#made.delete(join(this.#root, unfinished));
  }

  /** Makes a directory and those above it, up to the root, and syncs each to the disk. */
  async #makeDirectory(path: string): Promise<void> {
    if (this.#made.has(path)) return;
    if (path !== this.#root) await this.#makeDirectory(dirname(path));
    await mkdir(path, { recursive: path === this.#root, mode: 0o700 }).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
    await syncDirectory(dirname(path));
    this.#made.add(path);
  }
}

/** The content first, then the name: `link` fails where the name is taken, as `rename` would not. */
async function writeOnce(temporary: string, path: string, body: Uint8Array): Promise<PutOutcome> {
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(body);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(temporary, path);
    await syncDirectory(dirname(path));
    return 'Stored';
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return 'Exists';
    throw error;
  } finally {
    await unlink(temporary);
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function readEntries(directory: string) {
  try {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile());
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw new Unavailable(`${directory} cannot be read: ${describe(error)}`, { cause: error });
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

function describe(error: unknown): string {
  return codeOf(error) ?? (error instanceof Error ? error.message : 'unknown failure');
}
