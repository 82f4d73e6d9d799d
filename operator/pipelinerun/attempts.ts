/** Pods of a run -> the worker attempts that its record has to account for. Pure. */
import { stageKind } from '../api/defaults.ts';
import { LABEL } from '../api/names.ts';
import type { PipelineRun } from '../api/types.ts';
import type { DeepReadonly, Pod } from '../kube/types.ts';
import type { AttemptRef } from '../results/types.ts';
import { attemptOf } from './children.ts';
import { workerIndex } from './podfacts.ts';
import type { Observed } from './types.ts';

/** The attempt that a pod is; undefined for a pod of a stage that the run does not have. */
export function attemptRef(run: PipelineRun, pod: DeepReadonly<Pod>): AttemptRef | undefined {
  const { uid, name, namespace } = run.metadata;
  const stage = run.spec.stages.find((candidate) => candidate.name === pod.metadata.labels?.[LABEL.stage]);
  if (!stage || pod.metadata.uid === undefined) return undefined;
  return {
    runUID: uid,
    run: name,
    namespace,
    stage: stage.name,
    kind: stageKind(stage),
    index: workerIndex(pod),
    attempt: attemptOf(pod),
    podUID: pod.metadata.uid,
    podName: pod.metadata.name ?? '',
    ...(pod.spec.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
  };
}

export function attemptsOf({ run, pods }: Observed): AttemptRef[] {
  return pods.flatMap((pod) => attemptRef(run, pod) ?? []);
}
