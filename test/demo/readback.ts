import { join } from 'node:path';
import { CONTAINERS } from '../../workers/contract/environment.ts';
import { execute } from '../cluster/exec.ts';
import { projectRoot } from '../cluster/paths.ts';
import type { Cluster } from '../cluster/types.ts';

export interface StoredLog {
  readonly lines: number;
  readonly last: string;
}

/**
 * The log of a stage's command as a user reads it once its pods and nodes are gone: `ebbflow logs`, through a port-forward to
 * the operator, out of the results store. Undefined when the command fails; its words are then said.
 */
export async function readBackLog(
  cluster: Cluster,
  runUID: string,
  stage: string,
  say: (line: string) => void,
): Promise<StoredLog | undefined> {
  const program = join(projectRoot, 'cli/main.ts');
  const env = { ...process.env, ...cluster.environment() };
  const args = [program, 'logs', runUID, '--stage', stage, '--container', CONTAINERS.main];
  const result = await execute(process.execPath, args, { env, timeoutMs: 60_000 });
  if (result.code !== 0) {
    say(`ebbflow logs ${runUID} --stage ${stage} ended with code ${result.code}: ${result.stderr.trim()}`);
    return undefined;
  }
  const lines = result.stdout.split('\n').filter((line) => line !== '');
  return { lines: lines.length, last: lines.at(-1) ?? '' };
}
