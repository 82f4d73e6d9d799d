import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { type ProcessIdentity, identify } from './identity.ts';
import { projectRoot } from './paths.ts';
import type { ClusterState } from './state.ts';

/**
 * Starts the detached process that plays the cloud for a cluster and takes it down when nobody wants it any more.
 * It is in no cgroup of the cluster, because it survives those.
 */
export function startSupervisor(state: ClusterState): ProcessIdentity {
  mkdirSync(join(state.directory, 'logs'), { recursive: true });
  const log = openSync(join(state.directory, 'logs/supervisor.log'), 'a');
  try {
    const program = join(projectRoot, 'test/cluster/supervisor.ts');
    const child = spawn(process.execPath, [program, state.directory, String(state.createdAt)], {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: '/',
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    child.on('error', () => {});
    child.unref();
    const identity = child.pid === undefined ? undefined : identify(child.pid);
    if (identity === undefined) throw new Error('the supervisor did not start');
    return identity;
  } finally {
    closeSync(log);
  }
}
