/** One process per state directory. */
import { open, readFile, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { CliError } from '../errors.ts';

const holder = z.object({ pid: z.int(), host: z.string(), started: z.string() });
type Holder = z.infer<typeof holder>;

/**
 * Takes the lock of a directory and returns how to give it back. A holder that died gives it up by that; on another
 * machine nobody can tell, so there its word stands.
 * @throws CliError when another process works in the directory.
 */
export async function takeLock(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, 'lock');
  const own: Holder = { pid: process.pid, host: hostname(), started: (await startOf(process.pid)) ?? '' };
  for (let attempt = 1; ; attempt += 1) {
    try {
      const file = await open(path, 'wx', 0o600);
      await file.writeFile(JSON.stringify(own));
      await file.close();
      return async () => rm(path, { force: true });
    } catch (error) {
      const taken = error instanceof Error && 'code' in error && error.code === 'EEXIST';
      if (!taken) throw error;
      const other = await readHolder(path);
      if (attempt > 1 || (other !== undefined && (await isAlive(other)))) throw busy(directory, path, other);
      await rm(path, { force: true });
    }
  }
}

/** A lock that cannot be read is one whose holder died while it wrote it. */
async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    return holder.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

async function isAlive({ pid, host, started }: Holder): Promise<boolean> {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // A process of somebody else may not be asked, so it lives.
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
  }
  const now = await startOf(pid);
  return now === undefined || started === '' || now === started;
}

/** When a process started, in the kernel's own count, where that can be asked: process ids come back. */
async function startOf(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

function busy(directory: string, path: string, other: Holder | undefined): CliError {
  const who = other === undefined ? 'another process' : `process ${other.pid} on ${other.host}`;
  return new CliError(
    'Busy',
    `${who} works on this very copy, in ${directory}; wait for it, or, if you know that it is gone, delete ${path}`,
  );
}
