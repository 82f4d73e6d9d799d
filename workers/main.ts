/** The workers' roles: the only file of theirs that touches the process. Each role's code is loaded only for it. */
import { destination } from 'pino';

export type WorkerRole = 'copy' | 'fetch' | 'agent';

/** Runs a role to its end and ends the process with its exit code. */
export async function runWorker(role: WorkerRole): Promise<never> {
  const terminate = new AbortController();
  const stop = (signal: NodeJS.Signals): void => terminate.abort(new Error(`ended by ${signal}`));
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  // Inputs are for whatever user the command runs as.
  process.umask(0);
  // Synchronous: the last lines before the end matter most.
  const output = destination({ fd: 1, sync: true });
  const host = { env: process.env, terminate: terminate.signal, output };
  const run = await roles[role]();
  process.exit(await run(host));
}

const roles = {
  copy: async () => (await import('./copy/main.ts')).runCopyWorker,
  fetch: async () => (await import('./train/fetch.ts')).runFetch,
  agent: async () => (await import('./train/agent.ts')).runAgent,
} as const;
