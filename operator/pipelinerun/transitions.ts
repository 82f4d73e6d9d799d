/** Metrics of what a status write has made true: counted on the winning write, so once. */
import { stageKind } from '../api/defaults.ts';
import { UNNAMED_PIPELINE } from '../api/names.ts';
import type { Stage } from '../api/pipelinerun.ts';
import { isTerminal, type PipelineRunStatus, type StageStatus } from '../api/status.ts';
import type { PipelineRun } from '../api/types.ts';
import type { RunMetrics, StageKind } from '../telemetry/runsink.ts';
import { sumCopies } from '../../workers/contract/lastwords.ts';
import { childrenOf, podsOf } from './children.ts';
import { wordsOf } from './copyend.ts';
import { attemptFailure } from './failure.ts';
import { attemptOf } from './ours.ts';
import { millis, scheduledAt, startedAt } from './podfacts.ts';
import { conditionOf } from './status.ts';
import type { Observed } from './types.ts';

export function countTransition(observed: Observed, next: PipelineRunStatus, metrics: RunMetrics): void {
  const { run } = observed;
  const before = new Map((run.status?.stages ?? []).map((stage) => [stage.name, stage]));
  for (const stage of next.stages ?? []) countStage(observed, before.get(stage.name), stage, metrics);
  if (isOpen(run.status) && !isOpen(next)) countEnd(observed, next, metrics);
}

const labelsOf = (run: PipelineRun): { namespace: string; pipeline: string } => ({
  namespace: run.metadata.namespace,
  pipeline: run.spec.pipeline ?? UNNAMED_PIPELINE,
});

function isOpen(status: PipelineRunStatus | undefined): boolean {
  const condition = conditionOf(status, 'Succeeded');
  return condition === undefined || condition.status === 'Unknown';
}

function countStage(
  observed: Observed,
  old: StageStatus | undefined,
  stage: StageStatus,
  metrics: RunMetrics,
): void {
  const spec = observed.run.spec.stages.find(({ name }) => name === stage.name);
  if (!spec) return;
  const kind = stageKind(spec);
  if ((stage.attempt ?? 1) > (old?.attempt ?? 1)) countRetry(observed, spec, old ?? stage, metrics);
  if (!isTerminal(stage.state) || (old && isTerminal(old.state))) return;
  const labels = labelsOf(observed.run);
  const total = seconds(millis(stage.startTime), millis(stage.completionTime));
  metrics.stageFinished({ ...labels, kind, result: stage.state, seconds: total });
  const { job, pods } = childrenOf(spec, observed);
  if (job) countStart(job, pods, kind, metrics);
  const copy = sumCopies(wordsOf(stage.name, observed.reports));
  if (copy) {
    const { copied, skipped, unchanged, failed, moved, bytes, requests = 0, throttled = 0 } = copy;
    const figures = { copied, skipped, unchanged, failed, moved, bytes };
    metrics.copied(labels, figures, { requests, throttled });
  }
}

/** The attempt before has ended without success: why, and how long it had waited for its node. */
function countRetry(observed: Observed, spec: Stage, old: StageStatus, metrics: RunMetrics): void {
  const kind = stageKind(spec);
  const ended = childrenOf(spec, observed).jobs.find((job) => attemptOf(job) === (old.attempt ?? 1));
  if (!ended) {
    metrics.stageRetried(kind, 'JobDeleted');
    return;
  }
  const its = podsOf(ended, observed.pods);
  metrics.stageRetried(kind, attemptFailure(ended, its, old).reason);
  countStart(ended, its, kind, metrics);
}

function countStart(
  job: Observed['jobs'][number],
  pods: Observed['pods'],
  kind: StageKind,
  metrics: RunMetrics,
): void {
  const [first] = pods;
  if (!first) return;
  const scheduled = scheduledAt(first);
  const started = startedAt(first);
  if (scheduled !== undefined)
    metrics.nodeWait(kind, seconds(millis(job.metadata.creationTimestamp), scheduled));
  if (started !== undefined) metrics.stageStart(kind, seconds(scheduled, started));
}

function countEnd({ run, pods }: Observed, next: PipelineRunStatus, metrics: RunMetrics): void {
  const { outcome } = next;
  if (!outcome) return;
  const created = millis(run.metadata.creationTimestamp);
  const starts = pods.map(startedAt).filter((time) => time !== undefined);
  const reason = conditionOf(next, 'Succeeded')?.reason ?? outcome.reason;
  const ended = millis(next.completionTime);
  metrics.runFinished({ ...labelsOf(run), result: outcome.result, reason, seconds: seconds(created, ended) });
  metrics.committed(seconds(millis(outcome.time), ended));
  if (starts.length > 0) metrics.runStarted(labelsOf(run), seconds(created, Math.min(...starts)));
}

function seconds(from: number | undefined, to: number | undefined): number {
  return from === undefined || to === undefined ? 0 : (to - from) / 1000;
}
