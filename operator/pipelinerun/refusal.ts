/** What a refused Job does to its stage. Pure. */
import type { StageLimits } from '../api/defaults.ts';
import { isTerminal, type PipelineRunStatus, type StageStatus } from '../api/status.ts';
import { formatTime } from '../kube/conditions.ts';
import type { DeepReadonly, Job } from '../kube/types.ts';
import type { StageRefused } from './applyjob.ts';
import { millis } from './podfacts.ts';
import { clip, clipStage } from './text.ts';
import type { Plan } from './types.ts';

/** Between tries to create a Job that a quota or a webhook has refused, in milliseconds. */
const AGAIN_MS = 5_000;

/**
 * A Job that is invalid, whose name is taken or that does not keep its labels fails its stage. One that is forbidden is
 * tried again until provisionTimeoutSeconds.
 */
export function refuseStage(plan: Plan, refusal: StageRefused, now: Date): Plan {
  const { stage: name, reason, mayPass } = refusal;
  const message = clipStage(refusal.message, plan.status.stages?.length ?? 1);
  const stages = (plan.status.stages ?? []).map((stage): StageStatus => {
    // What has ended is final.
    if (stage.name !== name || isTerminal(stage.state)) return stage;
    if (mayPass) return { ...stage, state: 'Provisioning', reason, message };
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

/** Whether a stage whose Job is being refused has waited too long: since its start, or since the attempt before. */
export function isRefusedTooLong(
  stage: StageStatus,
  earlier: readonly DeepReadonly<Job>[],
  limits: StageLimits,
  now: Date,
): boolean {
  const changes = earlier.flatMap((job) => job.status?.conditions ?? []);
  const times = [stage.startTime, ...changes.map((change) => change.lastTransitionTime)].map(millis);
  const since = Math.max(0, ...times.filter((time) => time !== undefined));
  return (
    stage.reason === 'PodCreationRefused' &&
    since > 0 &&
    now.getTime() >= since + limits.provisionTimeoutSeconds * 1000
  );
}
