/** Gathers everything that is known about one run from caches and memory, without any call. */
import type { PipelineRun } from '../api/types.ts';
import type { Store } from '../kube/store.ts';
import type { DeepReadonly, Job, Node, Pod } from '../kube/types.ts';
import type { NodeLedger } from '../nodes/ledger.ts';
import { nodeLossTime } from '../nodes/lost.ts';
import { explainPending } from '../nodes/pending.ts';
import { startingReason } from '../nodes/starting.ts';
import type { PendingWatcher } from '../nodes/watch.ts';
import type { RunRecord } from '../../workers/contract/manifests.ts';
import { podsNear } from './caches.ts';
import { type Children, childrenOf, podsOf } from './children.ts';
import { placeOf } from './ours.ts';
import { isFinished, scheduledAt, startedAt } from './podfacts.ts';
import { problemsOf } from './problems.ts';
import type { PipelineRunObject } from './resource.ts';
import type { Observed, Waiting } from './types.ts';
import type { WorkerFacts } from './workerfacts.ts';

export interface ObserveDeps {
  runs: Store<PipelineRunObject>;
  jobs: Store<Job>;
  pods: Store<Pod>;
  nodes: Store<Node>;
  facts: WorkerFacts;
  pending: Pick<PendingWatcher, 'latest' | 'sync'>;
  ledger: Pick<NodeLedger, 'begin' | 'figures'>;
  nodeLostSeconds: number;
}

/** Key under which the events of a stage's pod and Job are watched. */
export const pendingKey = (runUID: string, stage: string): string => `${runUID}/${stage}`;

export interface Sight extends Observed {
  /** When to look at the nodes again: the next silent one will count as lost. In milliseconds since the epoch. */
  lossAt?: number;
}

/** Everything that is known. */
export function observe(run: PipelineRun, deps: ObserveDeps, now: Date, record?: RunRecord): Sight {
  const { uid, name } = run.metadata;
  const jobs = deps.jobs.byOwner(uid).filter((job) => placeOf(job, run));
  const pods = jobs.flatMap((job) => podsOf(job, deps.pods.byOwner(job.metadata.uid ?? '')));
  const owned = new Set(pods);
  const orphans = [...podsNear(deps.pods, run.metadata)].filter(
    (pod) => !owned.has(pod) && placeOf(pod, run),
  );
  const all = [...pods, ...orphans];
  return {
    run,
    jobs,
    pods: all,
    ...lossesOf(all, (pod) => lossOf(pod, deps), now),
    reports: deps.facts.reports(uid),
    heard: deps.facts.heard(uid),
    plans: deps.facts.plans(uid),
    progress: deps.facts.progress(uid),
    waiting: waitingOf(run, jobs, pods, deps.pending),
    nodes: figuresOf(deps.ledger, uid),
    problems: run.status?.startTime === undefined ? problemsOf(run.spec, name) : [],
    ...(record ? { record } : {}),
  };
}

/** Pods that are lost by now, and when the next one will be; `timeOf` says when, in milliseconds since the epoch. */
export function lossesOf(
  pods: readonly DeepReadonly<Pod>[],
  timeOf: (pod: DeepReadonly<Pod>) => number | undefined,
  now: Date,
): Pick<Sight, 'lostPods' | 'lossAt'> {
  const lostPods = new Set<string>();
  let lossAt: number | undefined;
  for (const pod of pods) {
    const time = timeOf(pod);
    if (time === undefined) continue;
    if (time <= now.getTime()) lostPods.add(pod.metadata.uid ?? '');
    else lossAt = Math.min(lossAt ?? time, time);
  }
  return { lostPods, ...(lossAt === undefined ? {} : { lossAt }) };
}

function lossOf(pod: DeepReadonly<Pod>, { nodes, nodeLostSeconds }: ObserveDeps): number | undefined {
  const node = nodes.get(pod.spec.nodeName ?? '');
  return nodeLossTime({ node, pod, nodeLostSeconds, nodesSynced: nodes.hasSynced });
}

function figuresOf(ledger: ObserveDeps['ledger'], uid: string): Observed['nodes'] {
  const { launched, nodeSeconds } = ledger.figures(uid);
  return { launched, nodeSeconds: Math.round(nodeSeconds) };
}

/** Why stages wait, in others' words. */
function waitingOf(
  run: PipelineRun,
  jobs: readonly DeepReadonly<Job>[],
  pods: readonly DeepReadonly<Pod>[],
  pending: ObserveDeps['pending'],
): ReadonlyMap<string, Waiting> {
  const found = new Map<string, Waiting>();
  for (const stage of run.spec.stages) {
    const children = childrenOf(stage, { run, jobs, pods });
    const key = pendingKey(run.metadata.uid, stage.name);
    const waiting = children.job && explain(children, pending.latest(key));
    if (waiting) found.set(stage.name, waiting);
  }
  return found;
}

function explain(
  { job, pods }: Children,
  { podEvents, jobEvents }: ReturnType<PendingWatcher['latest']>,
): Waiting | undefined {
  const open = pods.filter((pod) => !isFinished(pod));
  const unscheduled = open.find((pod) => scheduledAt(pod) === undefined);
  if (unscheduled || open.length === 0) {
    // Failed pods stay beside those that replace them: only open ones count.
    const succeeded = pods.filter((pod) => pod.status?.phase === 'Succeeded').length;
    const podsMissing = open.length + succeeded < (job?.spec.completions ?? 1);
    return explainPending({
      podConditions: unscheduled?.status?.conditions,
      podEvents,
      jobEvents,
      podsMissing,
    });
  }
  const unstarted = open.find((pod) => startedAt(pod) === undefined);
  return unstarted && startingReason(unstarted, podEvents);
}
