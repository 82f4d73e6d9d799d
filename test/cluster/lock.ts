import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identifySelf, isAlive, type ProcessIdentity } from './identity.ts';

function holderOf(file: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Takes the lock file if nobody living has it. A holder that was killed does not keep it. */
export function tryLock(file: string): boolean {
  mkdirSync(dirname(file), { recursive: true });
  const mine = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  writeFileSync(mine, JSON.stringify(identifySelf()));
  try {
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        linkSync(mine, file); // atomic, and the file has its content from the first moment
        return true;
      } catch {
        const holder = holderOf(file);
        if (holder !== undefined && isAlive(holder)) return false;
        // Moved aside first, so that of two who see the same dead holder only one goes on to break it.
        const aside = `${mine}.dead`;
        try {
          renameSync(file, aside);
        } catch {
          continue;
        }
        const moved = holderOf(aside);
        if (moved !== undefined && isAlive(moved)) {
          try {
            linkSync(aside, file); // someone living took it in between: give it back
          } catch {}
          rmSync(aside, { force: true });
          return false;
        }
        rmSync(aside, { force: true });
      }
    }
    return false;
  } finally {
    rmSync(mine, { force: true });
  }
}

/** Gives a lock back. */
export function unlock(file: string): void {
  rmSync(file, { force: true });
}

/** Runs `work` while holding the lock; waits for a living holder as long as it takes and calls `waiting` once. */
export async function withLock<T>(
  file: string,
  work: () => Promise<T>,
  waiting: (holder: number | undefined) => void = () => {},
): Promise<T> {
  for (let told = false; !tryLock(file); told = true) {
    if (!told) waiting(holderOf(file)?.pid);
    await sleep(200);
  }
  try {
    return await work();
  } finally {
    unlock(file);
  }
}
