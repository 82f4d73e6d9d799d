/**
 * When the work of a stage is done: its Job is complete, or, sooner, every worker has reported a manifest that the
 * operator has read in the store. The kubelet needs most of a second to show an ended container; the report does not. Pure.
 */
import type { Stage } from '../api/pipelinerun.ts';
import type { StageReason } from '../api/reasons.ts';
import type { StageStatus } from '../api/status.ts';
import type { DeepReadonly, Job, Pod } from '../kube/types.ts';
import type { WorkerManifest } from '../../workers/contract/manifests.ts';
import { copyOutcome } from './copyend.ts';
import { isConditionTrue } from './trueconditions.ts';
import type { StageInput } from './types.ts';

export interface StageOutcome {
  state: 'Succeeded' | 'Failed';
  reason: StageReason;
  message: string;
}

export function outcomeOf(
  { stage, prior, observed, now }: StageInput,
  job: DeepReadonly<Job> | undefined,
  pods: readonly DeepReadonly<Pod>[],
): StageOutcome | undefined {
  if (stage.copy) return job && copyOutcome(stage, job, observed, now);
  // A pod that ended while its Job was suspended or deleted is gone at once; what it had stored by then is stored.
  const workers = new Set([...pods.map(({ metadata }) => metadata.uid), prior.admitted]);
  const good = [...workers]
    .flatMap((podUID) => observed.reports.get(podUID ?? '') ?? [])
    .filter((report) => isGood(stage, prior, report));
  const indexes = new Set(good.map((report) => report.index));
  const isComplete = job !== undefined && isConditionTrue(job, 'Complete');
  if (!isComplete && indexes.size < (job?.spec.completions ?? 1)) return undefined;
  return { state: 'Succeeded', reason: 'Completed', message: '' };
}

/**
 * A good report of a stage with outputs counts only from the pod whose outputs were admitted. A command that was told
 * to end may well have ended with 0: its message says so.
 */
function isGood(stage: Stage, prior: StageStatus, report: WorkerManifest): boolean {
  const { exit, reason, message } = report;
  if (exit.code !== 0 || reason !== undefined) return false;
  return hasOutputs(stage) ? prior.admitted === report.podUID : message === undefined;
}

/** Only what is stored has to be admitted. */
function hasOutputs({ train, container }: Stage): boolean {
  return ((train ?? container)?.outputs ?? []).length > 0;
}
