/**
 * The end of a run, after its outcome is decided: end what still runs, have the record stored, then delete the compute
 * and let the object go. Pure.
 */
import { FINALIZER } from '../api/names.ts';
import type { PipelineRunStatus } from '../api/status.ts';
import type { DeepReadonly, Pod } from '../kube/types.ts';
import { endPods, reclaimJobs, releaseLost } from './actions.ts';
import { deletePods } from './deletion.ts';
import { controllerOf } from '../kube/owners.ts';
import { isFinished, millis } from './podfacts.ts';
import { planStage } from './stageplan.ts';
import { conditionOf, withConditions } from './status.ts';
import { clip } from './text.ts';
import type { Observed, Plan } from './types.ts';
import { isWaitedFor, UNENDING_MS, waitedForUntil } from './unending.ts';

export function planEnd(observed: Observed, status: PipelineRunStatus, now: Date): Plan {
  const stages = observed.run.spec.stages.map((stage) => stopStage(observed, status, stage, now));
  const base: Plan = {
    actions: stages.flatMap((stage) => stage.actions),
    status,
    events: [],
    waitingFor: [],
  };
  const discrepancies = stages.flatMap((stage) => stage.discrepancy ?? []);
  if (conditionOf(status, 'Succeeded')?.status === 'Unknown') {
    const running = observed.pods.filter((pod) => isRunning(pod, observed, now));
    const hurry = deletePods(observed);
    // Ending the pods of a Job is its controller's part, which has had its time.
    const late = hurry.length === 0 && now.getTime() >= lateFrom(status) ? running : [];
    const left = endPods([...new Set([...disowned(observed).filter((pod) => !isFinished(pod)), ...late])]);
    const actions = [
      ...base.actions,
      ...reclaimJobs(observed),
      ...hurry,
      ...left,
      ...releaseLost(observed.pods, observed.lostPods),
    ];
    if (running.length === 0) return { ...base, actions, commit: { discrepancies } };
    const looks = running.map((pod) => waitedForUntil(pod) ?? lateFrom(status));
    const upcoming = looks.filter((time) => time > now.getTime());
    return {
      ...base,
      actions,
      ...(upcoming.length > 0 ? { requeueAfterMs: Math.min(...upcoming) - now.getTime() } : {}),
    };
  }
  return afterTerminal(observed, status, now, discrepancies);
}

/** From when on pods are ended that nobody has asked to end, in milliseconds since the epoch. */
function lateFrom({ outcome }: PipelineRunStatus): number {
  return (millis(outcome?.time) ?? 0) + UNENDING_MS;
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
function isRunning(pod: DeepReadonly<Pod>, { reports }: Observed, now: Date): boolean {
  return isWaitedFor(pod, now) && !reports.has(pod.metadata.uid ?? '');
}

/** Pods whose Job somebody deleted without them: nobody but the operator ends and deletes them. */
function disowned({ pods }: Observed): DeepReadonly<Pod>[] {
  return pods.filter((pod) => controllerOf(pod) === undefined);
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
        ...reclaimJobs(observed),
        ...deletePods(observed),
        ...endPods(disowned(observed)),
        ...releaseLost(observed.pods, observed.lostPods),
      ],
    };
  }
  const done = conditionOf(status, 'ResourcesDeleted')?.status === 'True';
  const next = done
    ? status
    : withConditions(status, { ResourcesDeleted: { status: 'True', reason: 'Deleted' } }, generation, now);
  // Not in the pass that writes: what follows a commit is written on the version of the run that this pass has read.
  if (missing && !deleting)
    return done
      ? { ...base, commit: { discrepancies } }
      : { ...base, status: next, actions: [{ type: 'EndLeftovers' }] };
  if (!held) return { ...base, status: next, ...expire(observed, status, now) };
  const note = 'the record could not be stored before the PipelineRun was deleted';
  return {
    ...base,
    status: next,
    actions: [{ type: 'EndLeftovers' }],
    afterwards: [{ type: 'RemoveFinalizer' }],
    events: missing ? [{ type: 'Warning', reason: 'RecordNotStored', action: 'DeleteRun', note }] : [],
  };
}

/** What bears the label of the run and is not the run's holds nothing; somebody may want to know why it is still there. */
export function tellForeign(plan: Plan, foreign: readonly string[]): Plan {
  if (foreign.length === 0) return plan;
  const note = clip(`left alone, because the run has not made them: ${foreign.join(', ')}`, 1000);
  const event = { type: 'Warning', reason: 'ForeignObject', action: 'FinishRun', note } as const;
  return { ...plan, events: [...plan.events, event] };
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
