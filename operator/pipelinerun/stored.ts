/** What the status says once the record was stored, or refused by its store. Pure. */
import { RUN_REASONS, type RunReason } from '../api/reasons.ts';
import type { PipelineRunStatus } from '../api/status.ts';
import { formatTime } from '../kube/conditions.ts';
import { DELETION_COMMIT_MS, DELETION_GRACE_SECONDS } from './deletion.ts';
import { millis } from './podfacts.ts';
import { conditionOf, type ConditionValue, summarize, withConditions } from './status.ts';
import { clip } from './text.ts';
import type { Observed, Plan, PlanSettings, Stored } from './types.ts';

/** How long a refusing store is tried before compute is deleted anyway, counted from the outcome. */
function commitDeadline(observed: Observed, status: PipelineRunStatus, settings: PlanSettings): number {
  const decided = (millis(status.outcome?.time) ?? 0) + settings.commitTimeoutSeconds * 1000;
  const deleted = millis(observed.run.metadata.deletionTimestamp);
  return deleted === undefined
    ? decided
    : Math.min(decided, deleted + DELETION_GRACE_SECONDS * 1000 + DELETION_COMMIT_MS);
}

/** Status after the record was stored, or refused by its store. */
export function planStored(
  observed: Observed,
  plan: Plan,
  stored: Stored,
  settings: PlanSettings,
  now: Date,
): Plan {
  const { status } = plan;
  const { outcome } = status;
  if (!outcome) return plan;
  const generation = observed.run.metadata.generation;
  const location = stored.ok
    ? { results: { uid: observed.run.metadata.uid, location: stored.location } }
    : {};
  if (conditionOf(status, 'Succeeded')?.status !== 'Unknown') {
    // The record of a run that has been terminal without one.
    return stored.ok
      ? {
          ...plan,
          status: withConditions(
            { ...status, ...location },
            { LogsStored: logsStored(stored) },
            generation,
            now,
          ),
        }
      : plan;
  }
  const late = now.getTime() >= commitDeadline(observed, status, settings);
  if (!stored.ok && !late) {
    const value: ConditionValue = { status: 'False', reason: 'ResultsNotStored', message: stored.message };
    return { ...plan, status: withConditions(status, { LogsStored: value }, generation, now) };
  }
  const summary = summarize(
    observed.run.spec,
    status.stages ?? [],
    outcome.result === 'Succeeded' ? 'done' : (outcome.message ?? outcome.result.toLowerCase()),
  );
  const terminal = {
    ...status,
    ...location,
    completionTime: formatTime(now),
    nodes: observed.nodes,
    ...(summary ? { summary } : {}),
  };
  const succeeded: ConditionValue = {
    status: outcome.result === 'Succeeded' ? 'True' : 'False',
    reason: isRunReason(outcome.reason) ? outcome.reason : 'StageFailed',
    message: outcome.message ?? '',
  };
  const next = withConditions(
    terminal,
    { Succeeded: succeeded, LogsStored: logsStored(stored) },
    generation,
    now,
  );
  const note = `${outcome.result}${outcome.message === undefined ? '' : `: ${outcome.message}`}`;
  return {
    ...plan,
    status: next,
    afterwards: observed.jobs.length > 0 ? [{ type: 'DeleteJobs' }] : [],
    events: [
      {
        type: outcome.result === 'Succeeded' ? 'Normal' : 'Warning',
        reason: 'RunFinished',
        action: 'FinishRun',
        note: clip(note, 1000),
      },
    ],
  };
}

function isRunReason(reason: string): reason is RunReason {
  return Object.hasOwn(RUN_REASONS, reason);
}

function logsStored(stored: Stored): ConditionValue {
  if (!stored.ok) return { status: 'False', reason: 'ResultsNotStored', message: stored.message };
  return stored.logsComplete
    ? { status: 'True', reason: 'Stored' }
    : {
        status: 'True',
        reason: 'LogsIncomplete',
        message: 'a part of a log is missing; the manifests of the workers say which',
      };
}
