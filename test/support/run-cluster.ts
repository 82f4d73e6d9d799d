import { openCluster, startCluster } from '../cluster/cluster.ts';
import { installTestPackages } from '../cluster/debian.ts';
import type { Cluster } from '../cluster/types.ts';
import { type DemoImages, prepare } from '../demo/setup.ts';

/** The cluster that all steps of one `npm test` share. */
export interface SharedCluster {
  /** What tests find the cluster and its images by: EBBFLOW_TEST_CLUSTER and so on. */
  readonly environment: Readonly<Record<string, string>>;
  /** Why there are no images for pods of ours, if so: a cluster without them is still good for other steps. */
  readonly imagesFailed: string | undefined;
  stop(): Promise<void>;
}

export interface SharedClusterOptions {
  /** Name of a living cluster to attach to, which then stays. */
  readonly existing: string | undefined;
  /** Whether pods of ours are going to run. */
  readonly images: boolean;
  readonly say: (line: string) => void;
}

/**
 * Starts a cluster of its own, or attaches to a living one. It belongs to this process: should that be killed, the
 * cluster's supervisor takes everything down.
 */
export async function provideCluster({
  existing,
  images,
  say,
}: SharedClusterOptions): Promise<SharedCluster> {
  let built: DemoImages | undefined;
  let imagesFailed: string | undefined;
  // Not the cluster's: the tests that need them try again, and say what is wrong.
  await installTestPackages(say).catch((error: unknown) => say(String(error)));
  try {
    if (images) built = await prepare(say);
  } catch (error) {
    imagesFailed = error instanceof Error ? error.message : String(error);
    say(`The images could not be made: ${imagesFailed}`);
  }
  if (existing !== undefined) {
    const cluster = await openCluster(existing);
    return { environment: environmentOf(cluster, built), imagesFailed, stop: () => Promise.resolve() };
  }
  const cluster = await startCluster({
    name: `test-${process.pid}`,
    progress: say,
    ...(built && { images: [built.project.archive, built.train.archive] }),
  });
  return { environment: environmentOf(cluster, built), imagesFailed, stop: () => cluster.stop() };
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
