/** Status of a run: its first form, its conditions, its summary, and what counts as a change worth a write. Pure. */
import type { PipelineRunSpec } from '../api/pipelinerun.ts';
import type { ConditionType, RunReason } from '../api/reasons.ts';
import {
  isTerminal,
  MAX_DOING_BYTES,
  STAGE_STATES,
  type PipelineRunStatus,
  type StageState,
  type StageStatus,
} from '../api/status.ts';
import type { PipelineRun } from '../api/types.ts';
import { findCondition, formatTime, setCondition } from '../kube/conditions.ts';
import type { RunRecord } from '../../workers/contract/manifests.ts';
import { describeProgress } from './progress.ts';
import { clip } from './text.ts';

export interface ConditionValue {
  status: 'True' | 'False' | 'Unknown';
  reason: RunReason;
  message?: string;
}

/** Sets conditions and carries transition times over. */
export function withConditions(
  status: PipelineRunStatus,
  values: Partial<Record<ConditionType, ConditionValue>>,
  generation: number,
  now: Date,
): PipelineRunStatus {
  let conditions = status.conditions ?? [];
  for (const type of ['Succeeded', 'LogsStored', 'ResourcesDeleted'] as const) {
    const value = values[type];
    if (!value) continue;
    const next = {
      type,
      status: value.status,
      reason: value.reason,
      message: clip(value.message ?? ''),
      observedGeneration: generation,
    };
    conditions = setCondition(conditions, next, now);
  }
  return { ...status, conditions };
}

export function conditionOf(
  status: PipelineRunStatus | undefined,
  type: ConditionType,
): { status: string; reason: string } | undefined {
  return findCondition(status?.conditions, type);
}

/** The status that a run starts from: all conditions Unknown, every stage Waiting. */
export function initialStatus(run: PipelineRun, now: Date): PipelineRunStatus {
  const known = new Map((run.status?.stages ?? []).map((stage) => [stage.name, stage]));
  const status: PipelineRunStatus = {
    ...run.status,
    observedGeneration: run.metadata.generation,
    startTime: run.status?.startTime ?? formatTime(now),
    stages: run.spec.stages.map(({ name }) => known.get(name) ?? { name, state: 'Waiting' as const }),
  };
  if (run.status?.conditions) return status;
  return withConditions(
    status,
    {
      Succeeded: { status: 'Unknown', reason: 'Pending' },
      LogsStored: { status: 'Unknown', reason: 'Capturing' },
      ResourcesDeleted: { status: 'False', reason: 'InUse' },
    },
    run.metadata.generation,
    now,
  );
}

/** The status of a run that has a record and no memory of its end: what the record says, never another execution. */
export function restoredStatus(run: PipelineRun, record: RunRecord, now: Date): PipelineRunStatus {
  const status = initialStatus(run, now);
  const ended = new Map(record.stages.map((stage) => [stage.name, stage]));
  const stages = (status.stages ?? []).map((stage) => {
    const { state, reason, message, startTime, completionTime } = ended.get(stage.name) ?? {
      state: 'Skipped',
    };
    const known = STAGE_STATES.find((candidate) => candidate === state) ?? 'Skipped';
    return {
      name: stage.name,
      state: known,
      // Its Jobs may have come back with it, and are looked for by their names.
      ...(stage.attempt === undefined ? {} : { attempt: stage.attempt }),
      ...(reason === undefined ? {} : { reason }),
      ...(message === undefined ? {} : { message }),
      ...(startTime === undefined ? {} : { startTime }),
      ...(completionTime === undefined ? {} : { completionTime }),
    };
  });
  return { ...status, startTime: record.startTime, outcome: record.outcome, stages };
}

/** What kubectl get shows: how many stages have succeeded, and what the run does or why it waits. */
export function summarize(
  spec: PipelineRunSpec,
  stages: readonly StageStatus[],
  doing?: string,
): PipelineRunStatus['summary'] {
  const succeeded = stages.filter(({ state }) => state === 'Succeeded').length;
  const text = doing ?? describe(stages);
  return {
    stages: `${succeeded}/${spec.stages.length}`,
    doing: clip(text, MAX_DOING_BYTES),
    message: clip(text),
  };
}

function describe(stages: readonly StageStatus[]): string {
  const open = stages.filter((stage) => !isTerminal(stage.state) && stage.state !== 'Waiting');
  const failed = stages.find((stage) => stage.state === 'Failed');
  if (open.length === 0 && failed) return `${failed.name} failed: ${failed.message ?? failed.reason ?? ''}`;
  if (open.length === 0) return stages.find((stage) => stage.reason === 'Suspended') ? 'suspended' : '';
  return open.map(describeStage).join('; ');
}

function describeStage(stage: StageStatus): string {
  const { progress } = stage;
  if (stage.state === 'Running' && progress && progress.total > 0)
    return `${stage.name} running, ${describeProgress(progress)}`;
  const why = stage.message === undefined || stage.message === '' ? '' : `: ${stage.message}`;
  return `${stage.name} ${VERBS[stage.state]}${why}`;
}

const VERBS: Record<StageState, string> = {
  Waiting: 'waiting',
  Provisioning: 'waiting for a node',
  Starting: 'starting',
  Running: 'running',
  Finalizing: 'finalizing',
  Succeeded: 'succeeded',
  Failed: 'failed',
  Skipped: 'skipped',
  Canceled: 'canceled',
};

/**
 * How much a new status differs: `hard` must be written at once, `soft` (which of the open states a stage is in) may wait
 * a second so that short states never cost a write, `progress` may wait much longer, and `figures` that only grow with time
 * (seconds of nodes) longer still.
 */
export type Difference = 'none' | 'figures' | 'progress' | 'soft' | 'hard';

export function difference(old: PipelineRunStatus | undefined, next: PipelineRunStatus): Difference {
  if (canonical(old) === canonical(next)) return 'none';
  // What the first Jobs do may share the first write: until then, they say themselves that the run was taken on.
  if (!old) return next.outcome || next.stages?.some(isSettled) ? 'hard' : 'soft';
  if (canonical(withoutSeconds(old)) === canonical(withoutSeconds(next))) return 'figures';
  if (canonical(strip(old, PROGRESS)) === canonical(strip(next, PROGRESS))) return 'progress';
  const softened = (status: PipelineRunStatus): unknown => {
    const { summary: _summary, stages, ...rest } = strip(status, PROGRESS);
    return { ...rest, stages: stages?.map(soften) };
  };
  return canonical(softened(old)) === canonical(softened(next)) ? 'soft' : 'hard';
}

/** Whether the stage has something behind it that no Job says any more. */
function isSettled({ state, attempt = 1 }: StageStatus): boolean {
  return isTerminal(state) || attempt > 1;
}

function withoutSeconds(status: PipelineRunStatus): unknown {
  return { ...status, nodes: status.nodes?.launched };
}

const PROGRESS = ['progress', 'workers'] as const;

function strip(status: PipelineRunStatus, fields: readonly (keyof StageStatus)[]): PipelineRunStatus {
  const stages = status.stages?.map((stage) => {
    const kept: Record<string, unknown> = { ...stage };
    for (const field of fields) delete kept[field];
    return { ...kept, name: stage.name, state: stage.state };
  });
  const { nodes: _nodes, summary, ...rest } = status;
  return {
    ...rest,
    ...(summary ? { summary: { stages: summary.stages, doing: '' } } : {}),
    ...(stages ? { stages } : {}),
  };
}

/** A pod that was released with its dead node is gone at once: only the status says why, so that this does not wait. */
function soften(stage: StageStatus): StageStatus {
  const open = !isTerminal(stage.state) && stage.state !== 'Waiting';
  if (!open || stage.reason === 'NodeLost') return stage;
  return { ...stage, state: 'Running', reason: '', message: '' };
}

/** JSON with sorted keys: equal for equal values. */
function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_key, part: unknown) =>
      part !== null && typeof part === 'object' && !Array.isArray(part)
        ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
        : part,
    ) ?? ''
  );
}
