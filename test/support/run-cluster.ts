import type { Background } from '../cluster/background.ts';
import { openCluster, startCluster } from '../cluster/cluster.ts';
import type { Cluster } from '../cluster/types.ts';
import { buildImages, type DemoImages, providePrograms } from '../demo/setup.ts';

/**
 * `api`: an API server with its controllers and Karpenter, but no node, for tests that only talk to it. `nodes`: with
 * a system node and a pool that scales from zero. They are two, because tests of the first kind install and remove
 * the very objects that an operator in the second lives by.
 */
export type ClusterKind = 'api' | 'nodes';

/** A cluster that some steps of one `npm test` share. */
export interface SharedCluster {
  /** What tests find the cluster and its images by: EBBFLOW_TEST_CLUSTER and so on. */
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

export interface SharedClusterOptions {
  /** Name of a living cluster to attach to for everything, which then stays. */
  readonly existing: string | undefined;
  readonly kinds: ReadonlySet<ClusterKind>;
  /** Where `api` belongs, if it has to make way for `nodes`. */
  readonly background: Background | undefined;
  readonly say: (line: string) => void;
}

/**
 * Starts the wanted clusters, or attaches to a living one. They belong to this process: should that be killed, their
 * supervisors take everything down.
 */
export function provideClusters({
  existing,
  kinds,
  background,
  say,
}: SharedClusterOptions): Map<ClusterKind, Promise<SharedCluster>> {
  // One compiles for both; a cluster that nobody runs pods in need not wait for images.
  const programs = kinds.size > 0 ? providePrograms(say) : undefined;
  const provide = async (kind: ClusterKind): Promise<SharedCluster> => {
    await programs;
    const images = kind === 'nodes' ? await buildImages(say) : undefined;
    if (existing !== undefined) {
      const cluster = await openCluster(existing);
      return { environment: environmentOf(cluster, images), stop: () => Promise.resolve() };
    }
    const cluster = await startCluster({
      name: `test-${kind}-${process.pid}`,
      systemNode: kind === 'nodes',
      progress: (line) => say(`${kind}: ${line}`),
      poolCpuLimit: 16,
      ...(kind === 'api' && background && { background }),
      ...(images && { images: [images.project.archive, images.train.archive] }),
    });
    return { environment: environmentOf(cluster, images), stop: () => cluster.stop() };
  };
  return new Map([...kinds].map((kind) => [kind, provide(kind)]));
}

/** No store credentials in the environment: a test that needs some must say which. */
function environmentOf(cluster: Cluster, images: DemoImages | undefined): Record<string, string> {
  return {
    EBBFLOW_TEST_CLUSTER: cluster.name,
    EBBFLOW_TEST_KUBECONFIG: cluster.kubeconfig,
    ...(images && {
      EBBFLOW_TEST_IMAGE: images.project.reference,
      EBBFLOW_TEST_TRAIN_IMAGE: images.train.reference,
    }),
    PATH: cluster.environment()['PATH'] ?? process.env['PATH'] ?? '',
  };
}
