/**
 * The end of a run, after its outcome is decided: end what still runs, store the record, show the terminal condition,
 * delete the compute, let the object go. Pure.
 */
import { FINALIZER } from '../api/names.ts';
import { RUN_REASONS, type RunReason } from '../api/reasons.ts';
import type { PipelineRunStatus } from '../api/status.ts';
import { formatTime } from '../kube/conditions.ts';
import type { DeepReadonly, Pod } from '../kube/types.ts';
import { releaseLost } from './actions.ts';
import { isFinished, millis } from './podfacts.ts';
import { planStage } from './stageplan.ts';
import { conditionOf, type ConditionValue, summarize, withConditions } from './status.ts';
import { clip } from './text.ts';
import type { Action, Observed, Plan, PlanSettings, Stored } from './types.ts';

/** Longest grace of pods whose PipelineRun is being deleted, in seconds. */
export const DELETION_GRACE_SECONDS = 10;
/** How long the record of a run that is being deleted is tried, in milliseconds. */
export const DELETION_COMMIT_MS = 15_000;
/** Between tries to store a record that the store has refused for commitTimeoutSeconds, in milliseconds. */
const LATE_COMMIT_MS = 60_000;

export function planEnd(
  observed: Observed,
  status: PipelineRunStatus,
  settings: PlanSettings,
  now: Date,
): Plan {
  const stages = observed.run.spec.stages.map((stage) => stopStage(observed, status, stage, now));
  const base: Plan = {
    actions: stages.flatMap((stage) => stage.actions),
    status,
    events: [],
    waitingFor: [],
  };
  const discrepancies = stages.flatMap((stage) => stage.discrepancy ?? []);
  if (conditionOf(status, 'Succeeded')?.status === 'Unknown') {
    const hurry = deletePods(observed);
    const actions = [...base.actions, ...hurry, ...releaseLost(observed.pods, observed.lostPods)];
    return observed.pods.some((pod) => isRunning(pod, observed))
      ? { ...base, actions }
      : { ...base, actions, commit: { discrepancies } };
  }
  return afterTerminal(observed, status, now, discrepancies);
}

function stopStage(
  observed: Observed,
  status: PipelineRunStatus,
  stage: Observed['run']['spec']['stages'][number],
  now: Date,
) {
  const prior = status.stages?.find(({ name }) => name === stage.name) ?? {
    name: stage.name,
    state: 'Skipped' as const,
  };
  return planStage({
    stage,
    prior,
    readiness: { ready: true },
    canceled: false,
    suspended: false,
    observed,
    now,
  });
}

/** Whether the pod may still write. One whose worker has reported its end has nothing left to say but its exit. */
function isRunning(pod: DeepReadonly<Pod>, { reports }: Observed): boolean {
  return !isFinished(pod) && !reports.has(pod.metadata.uid ?? '');
}

/** A run that is being deleted does not wait for a long grace. */
function deletePods({ run, pods }: Observed): Action[] {
  if (run.metadata.deletionTimestamp === undefined) return [];
  return pods
    .filter(
      (pod) =>
        !isFinished(pod) && (pod.metadata.deletionGracePeriodSeconds ?? Infinity) > DELETION_GRACE_SECONDS,
    )
    .map((pod) => ({
      type: 'DeletePod' as const,
      pod: pod.metadata.name ?? '',
      uid: pod.metadata.uid ?? '',
      graceSeconds: Math.min(pod.spec.terminationGracePeriodSeconds ?? 30, DELETION_GRACE_SECONDS),
    }));
}

/** How long a refusing store is tried before compute is deleted anyway, counted from the outcome. */
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

/** The terminal condition is out: delete the compute, then let the object go. */
function afterTerminal(
  observed: Observed,
  status: PipelineRunStatus,
  now: Date,
  discrepancies: string[],
): Plan {
  const { run, jobs, pods } = observed;
  const generation = run.metadata.generation;
  const deleting = run.metadata.deletionTimestamp !== undefined;
  const held = run.metadata.finalizers?.includes(FINALIZER) === true;
  const base: Plan = { actions: [], status, events: [], waitingFor: [] };
  const missing = conditionOf(status, 'LogsStored')?.status === 'False';
  if (jobs.length > 0 || pods.length > 0) {
    const open = jobs.some((job) => job.metadata.deletionTimestamp === undefined);
    return {
      ...base,
      actions: [
        ...(open ? [{ type: 'DeleteJobs' as const }] : []),
        ...deletePods(observed),
        ...releaseLost(observed.pods, observed.lostPods),
      ],
    };
  }
  const done = conditionOf(status, 'ResourcesDeleted')?.status === 'True';
  const next = done
    ? status
    : withConditions(status, { ResourcesDeleted: { status: 'True', reason: 'Deleted' } }, generation, now);
  if (missing && !deleting)
    return {
      ...base,
      actions: done ? [] : [{ type: 'ConfirmNothingLeft' }],
      status: next,
      commit: { discrepancies },
      requeueAfterMs: LATE_COMMIT_MS,
    };
  if (!held) return { ...base, status: next, ...expire(observed, status, now) };
  const note = 'the record could not be stored before the PipelineRun was deleted';
  return {
    ...base,
    status: next,
    actions: [{ type: 'ConfirmNothingLeft' }],
    afterwards: [{ type: 'RemoveFinalizer' }],
    events: missing ? [{ type: 'Warning', reason: 'RecordNotStored', action: 'DeleteRun', note }] : [],
  };
}

/** `ttlSecondsAfterFinished`: the object itself goes, its compute has long gone. */
function expire(
  { run }: Observed,
  status: PipelineRunStatus,
  now: Date,
): Pick<Plan, 'requeueAfterMs'> | Pick<Plan, 'actions'> {
  const ttl = run.spec.ttlSecondsAfterFinished;
  const ended = millis(status.completionTime);
  if (ttl === undefined || ended === undefined || run.metadata.deletionTimestamp !== undefined) return {};
  const left = ended + ttl * 1000 - now.getTime();
  return left > 0 ? { requeueAfterMs: left } : { actions: [{ type: 'DeleteRun' }] };
}
