/** What the status says once the record was stored, or refused by its store. Pure. */
import { RUN_REASONS, type RunReason } from '../api/reasons.ts';
import type { PipelineRunStatus } from '../api/status.ts';
import { formatTime } from '../kube/conditions.ts';
import { DELETION_COMMIT_MS, DELETION_GRACE_SECONDS } from './deletion.ts';
import { millis } from './podfacts.ts';
import { conditionOf, type ConditionValue, summarize, withConditions } from './status.ts';
import { clip } from './text.ts';
import type { Observed, Plan, PlanSettings, Stored } from './types.ts';

/**
 * Until when a refusing store is tried before compute is deleted anyway, in milliseconds since the epoch: a time that is
 * counted from the outcome.
 */
export function commitDeadline(
  observed: Observed,
  status: PipelineRunStatus,
  settings: PlanSettings,
): number {
  const decided = (millis(status.outcome?.time) ?? 0) + settings.commitTimeoutSeconds * 1000;
  const deleted = millis(observed.run.metadata.deletionTimestamp);
  return deleted === undefined
    ? decided
    : Math.min(decided, deleted + DELETION_GRACE_SECONDS * 1000 + DELETION_COMMIT_MS);
}

/** Shortest and longest time between two tries, in milliseconds. */
const FIRST_TRY_MS = 1_000;
const LONGEST_TRY_MS = 30_000;
/** Between tries once the run is being deleted, or is terminal without its record. */
const DELETION_TRY_MS = 2_000;
const LATE_TRY_MS = 60_000;

/**
 * How long until a store that has refused is asked again: a quarter of the time for which it has, but not beyond the
 * deadline. Up to half as much again keeps runs apart that lost their store at the same moment.
 */
function untilNextTry(
  observed: Observed,
  status: PipelineRunStatus,
  settings: PlanSettings,
  now: Date,
  jitter: number,
): number {
  if (conditionOf(status, 'Succeeded')?.status !== 'Unknown') return LATE_TRY_MS * (1 + jitter / 2);
  const left = Math.max(0, commitDeadline(observed, status, settings) - now.getTime());
  const refused = now.getTime() - (millis(status.outcome?.time) ?? now.getTime());
  const wait =
    observed.run.metadata.deletionTimestamp === undefined
      ? Math.min(LONGEST_TRY_MS, Math.max(FIRST_TRY_MS, refused / 4))
      : DELETION_TRY_MS;
  return Math.min(left, wait * (1 + jitter / 2));
}

/** Status after the record was stored, or refused by its store. `jitter` from 0 to 1. */
export function planStored(
  observed: Observed,
  plan: Plan,
  stored: Stored,
  settings: PlanSettings,
  now: Date,
  jitter: number,
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
      : { ...plan, requeueAfterMs: untilNextTry(observed, status, settings, now, jitter) };
  }
  const late = now.getTime() >= commitDeadline(observed, status, settings);
  if (!stored.ok && !late) {
    const value: ConditionValue = { status: 'False', reason: 'ResultsNotStored', message: stored.message };
    // A store may say the same in other words each time; a status write for that would bring the run back at once.
    const known = conditionOf(status, 'LogsStored')?.reason === value.reason;
    const next = known ? status : withConditions(status, { LogsStored: value }, generation, now);
    return { ...plan, status: next, requeueAfterMs: untilNextTry(observed, status, settings, now, jitter) };
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
    ...(stored.ok ? {} : { requeueAfterMs: untilNextTry(observed, next, settings, now, jitter) }),
    afterwards: observed.jobs.length > 0 ? [{ type: 'DeleteJobs' }] : [],
    events: [
      ...plan.events,
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
