/** Runs, worker manifests and a results service for tests. */
import type { PipelineRun } from '../../../operator/api/types.ts';
import { type Clock, systemClock } from '../../../operator/kube/clock.ts';
import { silentLogger } from '../../../operator/kube/logger.ts';
import type { PodLogOptions } from '../../../operator/kube/client.ts';
import { ResultsService } from '../../../operator/results/results.ts';
import type { AttemptRef, ResultsStore } from '../../../operator/results/types.ts';
import type { WorkerManifest } from '../../../workers/contract/manifests.ts';
import { runPrefix } from '../../../workers/contract/keys.ts';
import { uid } from './fakepods.ts';

export const CLUSTER = 'test';

/** A decided run: `arrange` copied, `train` trained with the given pod admitted. */
export function decidedRun(
  overrides: { uid?: string; name?: string; admitted?: string; time?: string } = {},
): PipelineRun {
  const { name = 'nightly', time = '2026-01-02T03:04:05.000Z' } = overrides;
  return {
    apiVersion: 'ebbflow.dev/v1alpha1',
    kind: 'PipelineRun',
    metadata: {
      name,
      namespace: 'team',
      uid: overrides.uid ?? uid(1),
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: '2026-01-02T03:00:00Z',
    },
    spec: {
      pipeline: 'digits',
      stages: [
        {
          name: 'arrange',
          copy: { source: { bucket: 'raw' }, destination: { bucket: 'lake' } },
        },
        {
          name: 'train',
          dependsOn: ['arrange'],
          train: {
            image: 'trainer',
            command: ['train', '--password=hunter22'],
            env: [{ name: 'API_TOKEN', value: 'not for the record' }],
          },
        },
      ],
    },
    status: {
      startTime: '2026-01-02T03:00:01Z',
      outcome: { result: 'Succeeded', reason: 'Succeeded', time },
      conditions: [],
      stages: [
        { name: 'arrange', state: 'Succeeded', reason: 'Completed', attempt: 1 },
        {
          name: 'train',
          state: 'Succeeded',
          reason: 'Completed',
          attempt: 1,
          admitted: overrides.admitted ?? uid(100),
        },
      ],
    },
  };
}

export function manifestOf(ref: AttemptRef): WorkerManifest {
  return {
    kind: 'worker',
    version: 1,
    run: { uid: ref.runUID, name: ref.run, namespace: ref.namespace },
    stage: ref.stage,
    index: ref.index,
    attempt: ref.attempt,
    podUID: ref.podUID,
    podName: ref.podName,
    startTime: '2026-01-02T03:01:00Z',
    endTime: '2026-01-02T03:02:00Z',
    exit: { code: 0, started: true },
  };
}

/** Resolves when the next commit has listed what the run has left: from then on it waits for its logs. */
export function commitWaits(
  store: ResultsStore,
  run: Pick<AttemptRef, 'namespace' | 'runUID'>,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const prefix = runPrefix({ ...run, cluster: CLUSTER });
  const list = store.list.bind(store);
  store.list = async function* (listed, ...call) {
    yield* list(listed, ...call);
    // Not before the one who has listed went on.
    if (listed === prefix) setImmediate(resolve);
  };
  return promise;
}

/**
 * A service whose waits are short. `readLog` stands for pods/log.
 * @param idleMs how long a log that does not end is waited for; those that do end may take their time on a busy machine
 */
export function createService(
  store: ResultsStore,
  readLog: (options: PodLogOptions) => AsyncIterable<Uint8Array>,
  idleMs = 10_000,
  clock: Clock = systemClock,
): ResultsService {
  return new ResultsService({
    store,
    bucket: 'results',
    cluster: CLUSTER,
    kube: { podLog: readLog },
    indexPath: ':memory:',
    clock,
    logger: silentLogger,
    commitBounds: { idleMs, maxMs: 20_000 },
    capture: { timing: { minDelayMs: 1, maxDelayMs: 20, patientDelayMs: 20, lingerMs: 30, idleMs: 200 } },
  });
}
