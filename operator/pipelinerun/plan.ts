/**
 * What to do next for a run: pure, from everything observed to actions, status and events. Deciding never waits for
 * an effect; each pass starts from what is there.
 */
import { stageKind } from '../api/defaults.ts';
import { FINALIZER } from '../api/names.ts';
import { isTerminal, type PipelineRunStatus, type StageState, type StageStatus } from '../api/status.ts';
import { formatTime } from '../kube/conditions.ts';
import { planEnd } from './end.ts';
import { inOrder, readiness } from './graph.ts';
import { millis } from './podfacts.ts';
import { deletePods } from './deletion.ts';
import { clipProgress } from './progress.ts';
import { planStage } from './stageplan.ts';
import { initialStatus, restoredStatus, summarize, withConditions } from './status.ts';
import { clip, clipStage } from './text.ts';
import type { Action, Observed, Plan, StagePlan } from './types.ts';

type Outcome = NonNullable<PipelineRunStatus['outcome']>;

export function planRun(observed: Observed, now: Date): Plan {
  const { run } = observed;
  const status = observed.record
    ? restoredStatus(run, observed.record, now)
    : initialStatus(run, begunAt(observed, now));
  const hold = holdFinalizer(observed);
  if (status.outcome) return planEnd(observed, status, now);
  if (observed.problems.length > 0) return refuse(observed, status, now);
  const stages = planStages(observed, status, now);
  const next: PipelineRunStatus = {
    ...status,
    stages: stages.map((plan) => plan.status),
    nodes: observed.nodes,
  };
  const common = {
    // Pods before their Jobs: a kubelet that ends a pod with one grace does not hear of a shorter one.
    actions: [...hold, ...deletePods(observed), ...stages.flatMap((plan) => plan.actions)],
    events: stages.flatMap((plan) => plan.events),
    waitingFor: stages.flatMap((plan) => plan.waitingFor ?? []),
    ...requeue(stages, now),
  };
  const outcome = decide(next.stages ?? [], isCanceled(observed), now);
  return { ...common, status: outcome ? decided(observed, next, outcome, now) : going(observed, next, now) };
}

/** A first status may be written after the first Jobs: what began with them is not told to have begun later. */
function begunAt({ jobs }: Observed, now: Date): Date {
  const created = jobs.map(({ metadata }) => millis(metadata.creationTimestamp) ?? Infinity);
  return new Date(Math.min(now.getTime(), ...created));
}

/** Held before the first effect that outlives the object. A run that is being deleted cannot take one any more. */
function holdFinalizer({ run }: Observed): Action[] {
  const held = run.metadata.finalizers?.includes(FINALIZER) === true;
  return held || run.metadata.deletionTimestamp !== undefined ? [] : [{ type: 'AddFinalizer' }];
}

/** Deleting the object cancels what has not ended. */
function isCanceled({ run }: Observed): boolean {
  return run.spec.cancel === true || run.metadata.deletionTimestamp !== undefined;
}

/** Every stage, dependencies first, so that one pass sees all that follows from what has just ended. */
function planStages(observed: Observed, status: PipelineRunStatus, now: Date): StagePlan[] {
  const { spec } = observed.run;
  const prior = new Map((status.stages ?? []).map((stage) => [stage.name, stage]));
  const states = new Map<string, StageState>();
  const plans = new Map<string, StagePlan>();
  for (const stage of inOrder(spec.stages)) {
    const plan = planStage({
      stage,
      prior: prior.get(stage.name) ?? { name: stage.name, state: 'Waiting' },
      readiness: readiness(stage, states),
      canceled: isCanceled(observed),
      suspended: spec.suspend === true,
      observed,
      now,
    });
    states.set(stage.name, plan.status.state);
    plans.set(stage.name, plan);
  }
  return spec.stages.flatMap(({ name }) => {
    const plan = plans.get(name);
    return plan ? clipped(plan, spec.stages.length) : [];
  });
}

/** So many stages may say all about their progress. */
const FEW_STAGES = 20;

function clipped(plan: StagePlan, stages: number): StagePlan {
  const { message, progress } = plan.status;
  return {
    ...plan,
    status: {
      ...plan.status,
      ...(message === undefined ? {} : { message: clipStage(message, stages) }),
      ...(progress && stages > FEW_STAGES ? { progress: clipProgress(progress) } : {}),
    },
  };
}

function requeue(stages: readonly StagePlan[], now: Date): { requeueAfterMs?: number } {
  const times = stages.flatMap((plan) => plan.lookAt ?? []);
  return times.length === 0 ? {} : { requeueAfterMs: Math.max(0, Math.min(...times) - now.getTime()) };
}

/** The outcome, once every stage is terminal. */
function decide(stages: readonly StageStatus[], canceled: boolean, now: Date): Outcome | undefined {
  if (!stages.every((stage) => isTerminal(stage.state))) return undefined;
  const time = formatTime(now);
  const failed = stages.find((stage) => stage.state === 'Failed');
  if (failed) {
    const message = clip(`stage ${failed.name} failed (${failed.reason}): ${failed.message ?? ''}`);
    return { result: 'Failed', reason: 'StageFailed', time, message };
  }
  if (stages.every((stage) => stage.state === 'Succeeded')) {
    const reason = stages.some((stage) => stage.reason === 'CopiedWithFailures')
      ? 'CopiedWithFailures'
      : 'Succeeded';
    return { result: 'Succeeded', reason, time };
  }
  return { result: canceled ? 'Canceled' : 'Failed', reason: canceled ? 'Canceled' : 'StageFailed', time };
}

function decided(
  observed: Observed,
  status: PipelineRunStatus,
  outcome: Outcome,
  now: Date,
): PipelineRunStatus {
  const { spec, metadata } = observed.run;
  const summary = summarize(
    spec,
    status.stages ?? [],
    `${outcome.result.toLowerCase()}; storing logs and the record`,
  );
  const value = { status: 'Unknown', reason: 'Committing', message: outcome.message ?? '' } as const;
  return withConditions(
    { ...status, outcome, ...(summary ? { summary } : {}) },
    { Succeeded: value },
    metadata.generation,
    now,
  );
}

function going(observed: Observed, status: PipelineRunStatus, now: Date): PipelineRunStatus {
  const { spec, metadata } = observed.run;
  const summary = summarize(spec, status.stages ?? []);
  const started = status.stages?.some((stage) => stage.state !== 'Waiting') === true;
  const reason = spec.suspend === true ? 'Suspended' : started ? 'Running' : 'Pending';
  return withConditions(
    { ...status, ...(summary ? { summary } : {}) },
    { Succeeded: { status: 'Unknown', reason } },
    metadata.generation,
    now,
  );
}

/** A spec that can never be run: nothing is created, the run fails at once and says what to change. */
function refuse(observed: Observed, status: PipelineRunStatus, now: Date): Plan {
  const { run, problems } = observed;
  const message = problems.join('; ');
  const time = formatTime(now);
  const stages = run.spec.stages.map((stage) => ({
    name: stage.name,
    state: 'Skipped' as const,
    reason: 'InvalidSpec',
    message: `${stageKind(stage)} not started`,
    completionTime: time,
  }));
  const outcome: Outcome = { result: 'Failed', reason: 'InvalidSpec', time, message: clip(message) };
  return {
    actions: holdFinalizer(observed),
    status: decided(observed, { ...status, stages, nodes: observed.nodes }, outcome, now),
    events: [{ type: 'Warning', reason: 'InvalidSpec', action: 'Validate', note: clip(message, 1000) }],
    waitingFor: [],
  };
}
