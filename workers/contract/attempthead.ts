/** The head of what a worker stores about its attempt: whose it is. Pure. */
import type { WorkerEnvironment } from './environment.ts';
import type { WorkerManifest } from './manifests.ts';

type HeadField = 'version' | 'run' | 'stage' | 'index' | 'attempt' | 'podUID' | 'podName' | 'nodeName';

/** The worker as it knows itself from its environment. */
export function attemptHead(env: WorkerEnvironment): Pick<WorkerManifest, HeadField> {
  return {
    version: 1,
    run: { uid: env.runUID, name: env.run, namespace: env.namespace },
    stage: env.stage,
    index: env.index,
    attempt: env.attempt,
    podUID: env.podUID,
    podName: env.podName,
    nodeName: env.nodeName,
  };
}
