/** What a refused Job does to its stage. Pure. */
import type { StageLimits } from '../api/defaults.ts';
import { isTerminal, type PipelineRunStatus, type StageStatus } from '../api/status.ts';
import { formatTime } from '../kube/conditions.ts';
import type { StageRefused } from './applyjob.ts';
import { millis } from './podfacts.ts';
import { clip, clipStage } from './text.ts';
import type { Plan } from './types.ts';

/** Between tries to create a Job that a quota or a webhook has refused, in milliseconds. */
const AGAIN_MS = 5_000;

/**
 * A Job that is invalid, whose name is taken or that does not keep its labels fails its stage. One that is forbidden is
 * tried again until provisionTimeoutSeconds, counted from the first refusal that the `known` status tells of.
 */
export function refuseStage(
  plan: Plan,
  refusal: StageRefused,
  known: PipelineRunStatus | undefined,
  now: Date,
): Plan {
  const { stage: name, reason, mayPass } = refusal;
  const message = clipStage(refusal.message, plan.status.stages?.length ?? 1);
  const stages = (plan.status.stages ?? []).map((stage): StageStatus => {
    // What has ended is final.
    if (stage.name !== name || isTerminal(stage.state)) return stage;
    const before = known?.stages?.find((one) => one.name === name && one.attempt === stage.attempt);
    const refusedSince = before?.refusedSince ?? formatTime(now);
    if (mayPass) return { ...stage, state: 'Provisioning', reason, message, refusedSince };
    return { ...stage, state: 'Failed', reason, message, completionTime: formatTime(now) };
  });
  const status: PipelineRunStatus = { ...plan.status, stages };
  const event = {
    type: 'Warning' as const,
    reason,
    action: 'CreateJob',
    note: clip(`stage ${name}: ${refusal.message}`, 1000),
  };
  return {
    ...plan,
    status,
    events: [...plan.events, event],
    requeueAfterMs: mayPass ? Math.min(plan.requeueAfterMs ?? Infinity, AGAIN_MS) : 0,
  };
}

/** Whether the Job of the stage has been refused for too long: the time runs from its first refusal, whatever came before. */
export function isRefusedTooLong({ refusedSince }: StageStatus, limits: StageLimits, now: Date): boolean {
  const since = millis(refusedSince);
  return since !== undefined && now.getTime() >= since + limits.provisionTimeoutSeconds * 1000;
}

/** Of a stage whose Job was taken, or is not asked for any more. */
export function withoutRefusal({ refusedSince: _since, ...stage }: StageStatus): StageStatus {
  return stage;
}
