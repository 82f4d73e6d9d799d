/**
 * The native test cluster: a real control plane, real kubelets and containerd, Karpenter and an S3 store on one
 * Linux machine, without Docker.
 *
 *     await using cluster = await startCluster({ name: 'mine', systemNode: false, karpenter: false });
 *     await cluster.kubectl(['apply', '-f', 'crds/']);
 *
 * A cluster from startCluster ends with the process that started it, however that dies. `npm run cluster -- up`
 * makes one that stays until `down`; openCluster() attaches to it from any process.
 */
import type { Cluster, ClusterOptions } from './types.ts';

/** Starts a cluster and returns when it is usable. Installs and compiles what is missing (minutes, once). */
export function startCluster(options: ClusterOptions = {}): Promise<Cluster & AsyncDisposable> {
  return Promise.reject(new Error(`not written yet (${options.name ?? 'default'})`));
}

/** Attaches to a cluster that another process started. Rejects with NoSuchCluster when there is none of that name. */
export function openCluster(name = 'default'): Promise<Cluster> {
  return Promise.reject(new Error(`not written yet (${name})`));
}
