/** One process per state directory. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { CliError } from '../errors.ts';

/** SQLite's code for a lock that somebody else has; the upper bits say more. */
const SQLITE_BUSY = 5;

/**
 * Takes the lock of a directory and returns how to give it back. Node itself locks no files, but SQLite does, on an empty
 * database: the kernel grants the lock to one process and takes it back when that one dies, so nothing is ever stale.
 * The file stays, because a lock on a deleted file keeps nobody out.
 * @throws CliError when another process works in the directory.
 */
export async function takeLock(directory: string): Promise<() => Promise<void>> {
  const note = join(directory, 'lock.holder');
  const database = new DatabaseSync(join(directory, 'lock.sqlite'), { timeout: 0 });
  try {
    database.exec('PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (isBusy(error)) throw await sayBusy(directory, note);
    throw error;
  }
  await writeFile(note, `process ${process.pid} on ${hostname()}`, { mode: 0o600 });
  return async () => {
    await rm(note, { force: true });
    database.close();
  };
}

function isBusy(error: unknown): boolean {
  const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) : 0;
  return (code & 0xff) === SQLITE_BUSY;
}

/** The note is only for these words: it may be there a moment too late or too long. */
async function sayBusy(directory: string, note: string): Promise<CliError> {
  const who = (await readFile(note, 'utf8').catch(() => '')) || 'another process';
  return new CliError('Busy', `${who} works on this very copy, in ${directory}; wait for it`);
}
