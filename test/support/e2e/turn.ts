import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { tryLock, unlock } from '../../cluster/lock.ts';

/**
 * Waits for the turn of a file, and returns how to give it back. The tests of one file go side by side, as many as two
 * cores carry; what is promised within seconds could not be judged beside a second file.
 */
export async function takeTurn(cluster: string): Promise<() => void> {
  const file = join(tmpdir(), `ebbflow-e2e-${cluster}.lock`);
  while (!tryLock(file)) await sleep(100);
  return () => unlock(file);
}
