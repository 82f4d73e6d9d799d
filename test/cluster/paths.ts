import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root of the checkout. */
export const projectRoot: string = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** Folder of the Go modules that pin the cluster's programs. */
export const modulesRoot: string = join(projectRoot, 'test/cluster/modules');

/** What is dear to make and good for later runs: binaries, base images, archives. Safe to delete at any time. */
export function cacheRoot(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'ebbflow');
}

/**
 * Where clusters live. One place per machine whatever HOME is, because bridges, subnets and cgroups are shared by
 * the whole machine. Must be on a file system that overlayfs accepts as upper directory (not overlay itself).
 */
export function stateRoot(): string {
  return process.env['EBBFLOW_CLUSTER_STATE'] || '/var/lib/ebbflow-cluster';
}
