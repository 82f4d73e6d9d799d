/** The final state of a stage: how it is reached, and that it is kept. Pure. */
import type { StageReason } from '../api/reasons.ts';
import type { StageState, StageStatus } from '../api/status.ts';
import { formatTime } from '../kube/conditions.ts';
import { stopAll } from './actions.ts';
import type { Children } from './children.ts';
import { millis } from './podfacts.ts';
import { isConditionTrue } from './trueconditions.ts';
import { type Progress, withoutPace } from './progress.ts';
import { withoutRefusal } from './refusal.ts';
import { clip } from './text.ts';
import type { StageInput, StagePlan } from './types.ts';
import { UNENDING_MS } from './unending.ts';
import { activeSeconds, workersStatus } from './usage.ts';

/** The stage reaches its final state. */
export function endStage(
  input: StageInput,
  children: Children,
  state: StageState,
  reason: StageReason,
  message: string,
): StagePlan {
  const { prior, stage, now } = input;
  const good = state === 'Succeeded';
  const bad = state === 'Failed';
  const progress = input.observed.progress.get(stage.name) ?? prior.progress;
  const status: StageStatus = {
    ...withoutRefusal(prior),
    state,
    reason,
    message: clip(message),
    ...(children.job ? { workers: workersStatus(input, children) } : {}),
    ...(progress ? { progress: endedProgress(progress, good) } : {}),
    ...(prior.startTime === undefined ? {} : { activeSeconds: activeSeconds(input, children) }),
    completionTime: formatTime(now),
  };
  const note = `stage ${stage.name}: ${message}`;
  return {
    status,
    actions: good ? [] : stopAll(children),
    events: bad ? [{ type: 'Warning', reason, action: 'FailStage', note: clip(note, 1000) }] : [],
  };
}

function endedProgress(progress: Progress, good: boolean): Progress {
  const rest = withoutPace(progress);
  if (!good) return rest;
  const { total, totalBytes } = rest;
  return { ...rest, done: total, ...(totalBytes === undefined ? {} : { bytes: totalBytes }) };
}

/** A final state never changes. What still runs is ended, unless it is only finishing after its success, which is soon. */
export function keepEnded({ stage, prior, now }: StageInput, children: Children): StagePlan {
  const until = (millis(prior.completionTime) ?? 0) + UNENDING_MS;
  const isFinishing = prior.state === 'Succeeded' && now.getTime() < until;
  const stops = stopAll(children);
  const failedLater = prior.state === 'Succeeded' && children.job && isConditionTrue(children.job, 'Failed');
  return {
    status: prior,
    actions: isFinishing ? [] : stops,
    events: [],
    ...(isFinishing && stops.length > 0 ? { lookAt: until } : {}),
    ...(failedLater
      ? {
          discrepancy: `stage ${stage.name} had succeeded when its Job ${children.job?.metadata.name} failed`,
        }
      : {}),
  };
}
