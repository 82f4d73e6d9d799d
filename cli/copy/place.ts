/** Where on this machine the plan and the ledger of a copy are. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CopyRequest } from './arguments.ts';
import { openState, type RunState } from './state.ts';
import type { Environment, LocalStores } from './stores.ts';

/** Where plan and ledger lie; those of a dry run only until it has been told. */
export async function openPlace(
  request: CopyRequest,
  stores: LocalStores,
  env: Environment,
): Promise<RunState> {
  if (!request.dryRun) {
    const job = { ...request.job, stores };
    return openState(jobDirectory(request, stores, env), job, request.anew);
  }
  const directory = await mkdtemp(join(tmpdir(), 'ebbflow-plan-'));
  const close = async () => rm(directory, { recursive: true, force: true });
  return { directory, uid: randomUUID(), finish: async () => undefined, close };
}

/** One directory per job: two calls that mean the same copy share it. */
export function jobDirectory(
  { job: text, state }: CopyRequest,
  stores: LocalStores,
  env: Environment,
): string {
  if (state !== undefined) return state;
  const job = { ...text, stores };
  const hash = createHash('sha256').update(JSON.stringify(job)).digest('hex').slice(0, 12);
  return join(baseDirectory(env), `${job.source.bucket}-${job.destination.bucket}-${hash}`);
}

/** Where the directories of all jobs are that have none of their own choice. */
export function baseDirectory(env: Environment): string {
  return join(env['XDG_STATE_HOME'] || join(homedir(), '.local', 'state'), 'ebbflow', 'copy');
}
