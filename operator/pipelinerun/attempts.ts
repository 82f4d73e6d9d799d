/** Pods of a run -> the worker attempts that its record has to account for. Pure. */
import { stageKind } from '../api/defaults.ts';
import type { PipelineRun } from '../api/types.ts';
import type { DeepReadonly, Pod } from '../kube/types.ts';
import type { AttemptRef } from '../results/types.ts';
import { placeOf } from './ours.ts';
import { workerIndex } from './podfacts.ts';
import type { Observed } from './types.ts';

/** The attempt that a pod is; undefined for a pod that is not the run's. */
export function attemptRef(run: PipelineRun, pod: DeepReadonly<Pod>): AttemptRef | undefined {
  const { uid, name, namespace } = run.metadata;
  const place = placeOf(pod, run);
  const stage = run.spec.stages.find(({ name: candidate }) => candidate === place?.stage);
  if (!place || !stage || pod.metadata.uid === undefined) return undefined;
  return {
    runUID: uid,
    run: name,
    namespace,
    stage: stage.name,
    kind: stageKind(stage),
    index: workerIndex(pod),
    attempt: place.attempt,
    podUID: pod.metadata.uid,
    podName: pod.metadata.name ?? '',
    ...(pod.spec.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
  };
}

export function attemptsOf({ run, pods }: Observed): AttemptRef[] {
  return pods.flatMap((pod) => attemptRef(run, pod) ?? []);
}
