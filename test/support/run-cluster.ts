import { openCluster, startCluster } from '../cluster/cluster.ts';
import type { Cluster } from '../cluster/types.ts';

/** The cluster that all steps of one `npm test` share. */
export interface SharedCluster {
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/**
 * Starts a cluster of its own, or attaches to a living one (which then stays). It belongs to this process: should
 * that be killed, the cluster's supervisor takes everything down.
 */
export async function provideCluster(
  existing: string | undefined,
  say: (line: string) => void,
): Promise<SharedCluster> {
  if (existing !== undefined) {
    const cluster = await openCluster(existing);
    return { environment: environmentOf(cluster), stop: () => Promise.resolve() };
  }
  const cluster = await startCluster({ name: `test-${process.pid}`, progress: say });
  return { environment: environmentOf(cluster), stop: () => cluster.stop() };
}

/** No store credentials in the environment: a test that needs some must say which. */
function environmentOf(cluster: Cluster): Record<string, string> {
  return {
    EBBFLOW_TEST_CLUSTER: cluster.name,
    EBBFLOW_TEST_KUBECONFIG: cluster.kubeconfig,
    PATH: cluster.environment()['PATH'] ?? process.env['PATH'] ?? '',
  };
}
