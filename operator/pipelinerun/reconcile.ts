/**
 * The story of a run: observe -> plan -> apply -> status -> what may only happen afterwards. Level-triggered: every
 * pass starts from what is there, so it does not matter which pass a crash ended.
 */
import type { PipelineRun } from '../api/types.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import type { ConsistencyGate } from '../kube/consistency.ts';
import type { Reconcile, ReconcileResult } from '../kube/controller.ts';
import { isConflict, isNotFound } from '../kube/errors.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Logger } from '../kube/logger.ts';
import type { Results } from '../results/types.ts';
import type { PodSettings } from '../stages/settings.ts';
import type { RunMetrics } from '../telemetry/runsink.ts';
import { applyActions } from './apply.ts';
import { confirmLosses } from './asknodes.ts';
import { askStore, unansweredOf } from './askstore.ts';
import { findEarlierRecord, tryCommit } from './commit.ts';
import type { Breaker } from './breaker.ts';
import type { Commits } from './commits.ts';
import { type ApplyDeps, StillThere } from './effects.ts';
import { tellForeign } from './end.ts';
import { observe, type ObserveDeps, pendingKey, type Sight } from './observe.ts';
import { planRun } from './plan.ts';
import { questionsOf } from './questions.ts';
import { pipelineRuns } from './resource.ts';
import { refuseStage } from './refusal.ts';
import { planStored } from './stored.ts';
import { countTransition } from './transitions.ts';
import type { Observed, Plan, PlanSettings } from './types.ts';
import type { StatusWriter, Written } from './write.ts';

export interface RunDeps extends ObserveDeps {
  client: KubeClient;
  clock: Clock;
  gate: ConsistencyGate;
  recorder: Pick<EventRecorder, 'record'>;
  results: Pick<Results, 'commit' | 'findRecord' | 'findManifest' | 'findManifests' | 'findPlan'>;
  metrics: RunMetrics;
  writer: StatusWriter;
  commits: Commits;
  breaker: Breaker;
  /** By the UID of a run: UIDs of its Jobs that this process has deleted. */
  deleted: Map<string, Set<string>>;
  podSettings: PodSettings;
  settings: PlanSettings;
}

/** Before anything that still exists is looked for again, in milliseconds. */
const STILL_THERE_MS = 1_000;

export function createReconcile(deps: RunDeps): Reconcile {
  return async (key, log, signal) => {
    const run = deps.runs.get(key);
    if (!run) {
      deps.gate.clear(key);
      return {};
    }
    return await reconcileRun(key, run, deps, log, signal);
  };
}

async function reconcileRun(
  key: string,
  run: PipelineRun,
  deps: RunDeps,
  log: Logger,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const { uid } = run.metadata;
  deps.ledger.begin(uid, run.status?.startTime ?? run.metadata.creationTimestamp, run.status?.nodes);
  const record = await findEarlierRecord(run, deps, log, signal);
  const look = async (): Promise<Sight> =>
    await confirmLosses(observe(run, deps, deps.clock.now(), record), deps, deps.clock.now(), signal);
  const told = await look();
  const asked = await askStore(run, questionsOf(told), deps, log, signal);
  const seen = asked ? await look() : told;
  // What became a question while the others were asked has no answer either.
  const observed = { ...seen, unanswered: unansweredOf(run, questionsOf(seen), deps.facts) };
  const now = deps.clock.now();
  const plan = planRun(observed, now);
  watchPending(run, plan, deps);
  const looks = [
    plan.requeueAfterMs,
    observed.lossAt === undefined ? undefined : observed.lossAt - now.getTime(),
  ];
  try {
    const stored = plan.commit && deps.commits.answer(uid);
    if (stored === undefined) looks.push(await carryOut(key, plan, observed, deps, log, signal));
    else {
      const after = planStored(observed, plan, stored, deps.settings, now, Math.random());
      looks.push(await carryOut(key, after, observed, deps, log, signal));
      deps.commits.forget(uid);
    }
    if (plan.commit && stored === undefined)
      deps.commits.begin(key, uid, () => tryCommit(key, observed, plan, deps, log, signal));
  } catch (error) {
    if (error instanceof StillThere) return { requeueAfterMs: STILL_THERE_MS };
    // Somebody else wrote to the run; its change is on the way to us and brings the key back.
    if (isConflict(error)) return { requeueAfterMs: STILL_THERE_MS };
    throw error;
  }
  return soonest(looks);
}

/** One plan: its effects, its status, and its aftermath. Returns when to look again, in milliseconds. */
async function carryOut(
  key: string,
  planned: Plan,
  observed: Observed,
  deps: RunDeps,
  log: Logger,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { run } = observed;
  const applyDeps: ApplyDeps = {
    client: deps.client,
    pods: deps.podSettings,
    now: () => deps.clock.now(),
    deleted: deps.deleted,
    wrote: (resource, resourceVersion) => deps.gate.wroteAt(key, resource, resourceVersion),
    fence: (podUID) => deps.facts.fence(run.metadata.uid, podUID),
  };
  const { resourceVersion, refusals, foreign } = await applyActions(
    planned.actions,
    observed,
    applyDeps,
    signal,
  );
  if (planned.actions.some(({ type }) => type === 'CreateJob')) {
    const handover = deps.facts.takeReportAge(run.metadata.uid);
    if (handover !== undefined) deps.metrics.handover(handover);
  }
  for (const { stage, reason, message } of refusals)
    log.warn({ stage, reason, message }, 'The cluster refused the Job of a stage');
  const now = deps.clock.now();
  const plan = tellForeign(
    refusals.reduce((so, refusal) => refuseStage(so, refusal, run.status, now), planned),
    foreign,
  );
  const version = resourceVersion ?? run.metadata.resourceVersion;
  const inMs = await writeStatus(key, plan, observed, version, deps, signal);
  await applyActions(plan.afterwards ?? [], observed, applyDeps, signal);
  return plan.requeueAfterMs === undefined ? inMs : Math.min(plan.requeueAfterMs, inMs ?? Infinity);
}

async function writeStatus(
  key: string,
  plan: Plan,
  observed: Observed,
  resourceVersion: string,
  deps: RunDeps,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { run } = observed;
  const { namespace, name, uid } = run.metadata;
  let result: Written;
  try {
    result = await deps.writer.write(run, plan.status, resourceVersion, signal);
  } catch (error) {
    // Without its finalizer the object may go at any time; there is nobody left to tell.
    if (!isNotFound(error) || run.metadata.deletionTimestamp === undefined) throw error;
    return undefined;
  }
  const regarding = { apiVersion: run.apiVersion, kind: run.kind, namespace, name, uid };
  if (!result.written) {
    // An object that now goes is told about even when its status says so already.
    if (plan.afterwards?.some(({ type }) => type === 'RemoveFinalizer') === true)
      for (const event of plan.events) deps.recorder.record({ regarding, ...event });
    return result.inMs;
  }
  deps.gate.wroteAt(key, pipelineRuns, result.resourceVersion);
  countTransition(observed, plan.status, deps.metrics);
  for (const event of plan.events) deps.recorder.record({ regarding, ...event });
  return undefined;
}

function watchPending(run: PipelineRun, plan: Plan, { pending }: RunDeps): void {
  const { uid, namespace } = run.metadata;
  const targets = plan.waitingFor.map(
    ({ stage, jobUID, podUID }) => [pendingKey(uid, stage), { namespace, jobUID, podUID }] as const,
  );
  pending.sync(`${uid}/`, new Map(targets));
}

function soonest(times: readonly (number | undefined)[]): ReconcileResult {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? {} : { requeueAfterMs: Math.max(0, Math.min(...known)) };
}
