/** Metrics of what a status write has made true: counted on the winning write, so once. */
import { stageKind } from '../api/defaults.ts';
import { isTerminal, type PipelineRunStatus } from '../api/status.ts';
import type { PipelineRun } from '../api/types.ts';
import type { RunMetrics } from '../telemetry/runsink.ts';
import { millis } from './podfacts.ts';
import { conditionOf } from './status.ts';

export function countTransition(run: PipelineRun, next: PipelineRunStatus, metrics: RunMetrics): void {
  const labels = { namespace: run.metadata.namespace, pipeline: run.spec.pipeline ?? run.metadata.name };
  const before = new Map((run.status?.stages ?? []).map((stage) => [stage.name, stage]));
  for (const stage of next.stages ?? []) {
    const old = before.get(stage.name);
    const spec = run.spec.stages.find(({ name }) => name === stage.name);
    if (!spec) continue;
    const kind = stageKind(spec);
    if ((stage.attempt ?? 1) > (old?.attempt ?? 1)) metrics.stageRetried(kind, stage.reason ?? '');
    if (isTerminal(stage.state) && !(old && isTerminal(old.state)))
      metrics.stageFinished({
        ...labels,
        kind,
        result: stage.state,
        seconds: seconds(stage.startTime, stage.completionTime),
      });
  }
  const wasOpen =
    conditionOf(run.status, 'Succeeded')?.status !== 'True' &&
    conditionOf(run.status, 'Succeeded')?.status !== 'False';
  const ended = conditionOf(next, 'Succeeded');
  if (!wasOpen || ended === undefined || ended.status === 'Unknown' || !next.outcome) return;
  const total = seconds(run.metadata.creationTimestamp, next.completionTime);
  metrics.runFinished({ ...labels, result: next.outcome.result, reason: ended.reason, seconds: total });
  metrics.committed(seconds(next.outcome.time, next.completionTime));
}

function seconds(from: string | undefined, to: string | undefined): number {
  return ((millis(to) ?? 0) - (millis(from) ?? millis(to) ?? 0)) / 1000;
}
