import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { STATS_PATH, type DoubleStats } from './server.ts';
import type { DoubleSetup } from './setup.ts';

/** A double in another process, so that its work is not counted as its client's. */
export interface DoubleProcess {
  readonly endpoint: string;
  readonly pid: number;
  stats(): Promise<DoubleStats>;
  stop(): Promise<void>;
}

const program = fileURLToPath(new URL('main.ts', import.meta.url));

export async function spawnDouble(setup: DoubleSetup): Promise<DoubleProcess> {
  const child = spawn(process.execPath, [program, JSON.stringify(setup)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  let line = '';
  for await (line of createInterface({ input: child.stdout })) break;
  const { pid } = child;
  if (line === '' || pid === undefined) throw new Error('the double did not start');
  const { endpoint } = JSON.parse(line);
  return {
    endpoint,
    pid,
    stats: async () => {
      const answer = await fetch(`${endpoint}${STATS_PATH}`, { signal: AbortSignal.timeout(10_000) });
      return JSON.parse(await answer.text());
    },
    stop: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
