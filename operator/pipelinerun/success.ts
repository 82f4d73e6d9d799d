/**
 * When a stage has succeeded: its Job is complete, or, sooner, every worker has reported a manifest that the operator
 * has read in the store. The kubelet needs most of a second to show an ended container; the report does not. Pure.
 */
import type { Stage } from '../api/pipelinerun.ts';
import type { StageReason } from '../api/reasons.ts';
import type { StageStatus } from '../api/status.ts';
import type { DeepReadonly, Job, Pod } from '../kube/types.ts';
import type { CopyResult, WorkerManifest } from '../../workers/contract/manifests.ts';
import { isConditionTrue } from './podconditions.ts';
import { count } from './text.ts';

export interface Success {
  reason: StageReason;
  message: string;
}

export function successOf(
  stage: Stage,
  prior: StageStatus,
  job: DeepReadonly<Job>,
  pods: readonly DeepReadonly<Pod>[],
  reports: ReadonlyMap<string, WorkerManifest>,
): Success | undefined {
  const good = pods
    .map((pod) => reports.get(pod.metadata.uid ?? ''))
    .filter((report) => report !== undefined && isGood(stage, prior, report));
  const indexes = new Set(good.map((report) => report?.index));
  if (!isConditionTrue(job, 'Complete') && indexes.size < (job.spec.completions ?? 1)) return undefined;
  const copy = good.find((report) => report?.copy)?.copy;
  return copy ? copied(copy) : { reason: 'Completed', message: '' };
}

/**
 * A good report of a stage with outputs counts only from the pod whose outputs were admitted. A command that was told
 * to end may well have ended with 0: its message says so.
 */
function isGood(stage: Stage, prior: StageStatus, report: WorkerManifest): boolean {
  const { exit, reason, message } = report;
  if (exit.code !== 0 || reason !== undefined) return false;
  if (stage.copy) return true;
  return hasOutputs(stage) ? prior.admitted === report.podUID : message === undefined;
}

/** Only what is stored has to be admitted. */
function hasOutputs({ train, container }: Stage): boolean {
  return ((train ?? container)?.outputs ?? []).length > 0;
}

function copied(result: CopyResult): Success {
  const parts = [`${count(result.copied, 'object')} copied`, `${result.renamed} renamed`];
  if (result.skipped > 0) parts.push(`${result.skipped} already there`);
  if (result.failed > 0) parts.push(`${result.failed} failed`);
  return { reason: result.failed > 0 ? 'CopiedWithFailures' : 'Completed', message: parts.join(', ') };
}
