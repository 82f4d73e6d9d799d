/** Wires the reconcile of runs to the caches: what happens to a Job, a pod or a node brings back the run it belongs to. */
import { UNNAMED_PIPELINE } from '../api/names.ts';
import { isTerminal } from '../api/status.ts';
import type { Clock } from '../kube/clock.ts';
import type { KubeClient } from '../kube/client.ts';
import { isConditionTrue } from '../kube/conditions.ts';
import { ConsistencyGate } from '../kube/consistency.ts';
import { Controller } from '../kube/controller.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Logger } from '../kube/logger.ts';
import type { KubeMetrics } from '../kube/metrics.ts';
import { pods as podResource } from '../kube/resource.ts';
import type { DeepReadonly, Job, Node, Pod } from '../kube/types.ts';
import { WorkQueue } from '../kube/workqueue.ts';
import { foreignPodBefore } from '../nodes/foreign.ts';
import { NodeLedger } from '../nodes/ledger.ts';
import type { LedgerNode, NodesRecord } from '../nodes/record.ts';
import { PendingWatcher } from '../nodes/watch.ts';
import type { AttemptRef, Results } from '../results/types.ts';
import type { PodSettings } from '../stages/settings.ts';
import type { CopyState } from '../telemetry/registry.ts';
import type { NodeLabels, RunMetrics } from '../telemetry/runsink.ts';
import { attemptRef } from './attempts.ts';
import { Breaker } from './breaker.ts';
import { podsNear, RunCaches } from './caches.ts';
import { Commits } from './commits.ts';
import { NodesWriter } from './nodeswriter.ts';
import { createReconcile } from './reconcile.ts';
import type { PipelineRunObject } from './resource.ts';
import { StatusWriter } from './write.ts';
import { WorkerFacts } from './workerfacts.ts';

export interface RunControllerOptions {
  client: KubeClient;
  clock: Clock;
  log: Logger;
  recorder: Pick<EventRecorder, 'record'>;
  results: Results;
  podSettings: PodSettings;
  metrics: { kube: KubeMetrics; runs: RunMetrics };
  commitTimeoutSeconds: number;
  nodeLostSeconds: number;
  concurrency: number;
}

/** The controller of runs, with everything that remembers something between two passes. */
export class RunController {
  readonly caches: RunCaches;
  readonly facts: WorkerFacts;
  readonly ledger: NodeLedger;
  readonly #options: RunControllerOptions;
  readonly #queue: WorkQueue;
  readonly #gate: ConsistencyGate;
  readonly #pending: PendingWatcher;
  readonly #writer: StatusWriter;
  readonly #commits: Commits;
  readonly #nodesWriter: NodesWriter;
  readonly #deleted = new Map<string, Set<string>>();
  /** Namespace of every run that is known, or whose nodes are still there, by UID. */
  readonly #namespaces = new Map<string, string>();

  constructor(options: RunControllerOptions) {
    const { client, clock, log, metrics } = options;
    this.#options = options;
    this.#writer = new StatusWriter(client, clock);
    this.#queue = new WorkQueue({ name: 'pipelinerun', clock, metrics: metrics.kube });
    this.#nodesWriter = new NodesWriter(options);
    this.#commits = new Commits((key) => this.#queue.add(key));
    this.caches = new RunCaches({ client, clock, logger: log, metrics: metrics.kube });
    this.facts = new WorkerFacts(clock, (key) => this.#queue.add(key));
    this.ledger = new NodeLedger({
      clock,
      onFinal: (record, ifMissing) => void this.#writeNodes(record, ifMissing),
      onLaunched: (node) => metrics.runs.nodeLaunched(labelsOf(node)),
      onGone: (node, seconds) => metrics.runs.nodeGone(labelsOf(node), seconds),
      othersCameFirst: async ({ name }, before) =>
        foreignPodBefore(await this.#podsOn(name), before, (pod) => this.#attemptOf(pod) !== undefined),
    });
    this.#pending = new PendingWatcher({
      client,
      clock,
      logger: log,
      metrics: metrics.kube,
      onChange: (key) => this.#enqueue(key.split('/')[0]),
    });
    this.#gate = new ConsistencyGate({
      stores: [this.caches.runs, this.caches.jobs],
      requeue: (key) => this.#queue.add(key),
      clock,
    });
    this.#follow();
  }

  /** Works until the signal aborts; resolves when nothing is going on any more. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, metrics } = this.#options;
    const following = this.caches.follow(signal);
    await this.caches.synced(signal);
    const { runs, jobs, pods, nodes } = this.caches;
    const reconcile = createReconcile({
      ...this.#options,
      runs,
      jobs,
      pods,
      nodes,
      facts: this.facts,
      pending: this.#pending,
      ledger: this.ledger,
      gate: this.#gate,
      metrics: metrics.runs,
      writer: this.#writer,
      commits: this.#commits,
      breaker: new Breaker(this.#options.clock),
      deleted: this.#deleted,
      settings: { commitTimeoutSeconds: this.#options.commitTimeoutSeconds },
    });
    const controller = new Controller({
      name: 'pipelinerun',
      queue: this.#queue,
      reconcile,
      workers: this.#options.concurrency,
      gate: this.#gate,
      logger: log,
      metrics: metrics.kube,
      clock,
    });
    await controller.run(signal);
    await Promise.all([this.#commits.settled(), following]);
    this.#pending.stop();
    this.#gate.close();
    this.ledger.stop();
    this.#nodesWriter.stop();
  }

  /** How far the copies that go on are, for the metrics. */
  *runningCopies(): Generator<CopyState, void, undefined> {
    for (const { metadata, spec, status } of this.caches.runs.list()) {
      const progress = this.facts.progress(metadata.uid);
      for (const { name, state } of status?.stages ?? []) {
        const { done = 0, total = 0, perSecond = 0 } = progress.get(name) ?? {};
        const isCopy = spec.stages.some((stage) => stage.name === name && stage.copy !== undefined);
        if (!isCopy || isTerminal(state) || total === 0) continue;
        const pipeline = spec.pipeline ?? UNNAMED_PIPELINE;
        yield { namespace: metadata.namespace, pipeline, perSecond, left: Math.max(0, total - done) };
      }
    }
  }

  #follow(): void {
    const { results } = this.#options;
    this.caches.runs.addHandler({
      added: (run) => this.#runSeen(run),
      modified: (run) => this.#runSeen(run),
      deleted: (run) => {
        this.facts.forget(run.metadata.uid);
        // Its nodes may outlive the object by a while; their final figures are still to be stored.
        if (this.ledger.finish(run.metadata.uid)) this.#forgetNodes(run.metadata.uid);
        this.#writer.forget(run.metadata.uid);
        this.#commits.forget(run.metadata.uid);
        this.#deleted.delete(run.metadata.uid);
        this.#pending.sync(`${run.metadata.uid}/`, new Map());
        this.#queue.add(`${run.metadata.namespace}/${run.metadata.name}`);
      },
    });
    const job = (object: DeepReadonly<Job>): void => this.#enqueue(this.caches.runUIDOf(object));
    this.caches.jobs.addHandler({ added: job, modified: job, deleted: job });
    const pod = (object: DeepReadonly<Pod>): void => this.#podSeen(object);
    this.caches.pods.addHandler({
      added: pod,
      modified: pod,
      deleted: (object) => {
        this.#podSeen(object);
        results.logs.observeGone(object.metadata.uid ?? '');
      },
    });
    this.caches.nodes.addHandler({
      added: (node) => this.#nodeSeen(node),
      modified: (node) => this.#nodeSeen(node),
      deleted: (node) => {
        this.ledger.nodeGone(node);
        this.#enqueuePodsOn(node);
      },
    });
  }

  #runSeen(run: DeepReadonly<PipelineRunObject>): void {
    this.ledger.begin(
      run.metadata.uid,
      run.status?.startTime ?? run.metadata.creationTimestamp,
      run.status?.nodes,
    );
    this.#namespaces.set(run.metadata.uid, run.metadata.namespace);
    // What its workers said is in the record now; a finished run costs nothing but its object.
    if (isConditionTrue(run.status?.conditions, 'ResourcesDeleted')) this.facts.forget(run.metadata.uid);
    if (run.status?.completionTime !== undefined)
      this.ledger.finish(run.metadata.uid, run.status.completionTime);
    this.#queue.add(`${run.metadata.namespace}/${run.metadata.name}`);
    // Pods are often told before their run after a restart; now the run can say what they are.
    for (const pod of podsNear(this.caches.pods, run.metadata)) this.#tell(pod);
  }

  #podSeen(pod: DeepReadonly<Pod>): void {
    this.#tell(pod);
    this.#enqueue(this.caches.runUIDOf(pod));
  }

  /** What is no run's is neither counted nor read, whatever it says it is. */
  #tell(pod: DeepReadonly<Pod>): void {
    const attempt = this.#attemptOf(pod);
    if (!attempt) return;
    this.ledger.podSeen(attempt.runUID, pod);
    this.#options.results.logs.observe(attempt, pod);
  }

  #attemptOf(pod: DeepReadonly<Pod>): AttemptRef | undefined {
    const run = this.caches.runByUID(this.caches.runUIDOf(pod) ?? '');
    return run && attemptRef(run, pod);
  }

  #nodeSeen(node: DeepReadonly<Node>): void {
    this.ledger.nodeSeen(node);
    if (!isReady(node)) this.#enqueuePodsOn(node);
  }

  #enqueuePodsOn(node: DeepReadonly<Node>): void {
    for (const pod of this.caches.pods.list())
      if (pod.spec.nodeName === node.metadata.name) this.#enqueue(this.caches.runUIDOf(pod));
  }

  #enqueue(runUID: string | undefined): void {
    const run = runUID === undefined ? undefined : this.caches.runByUID(runUID);
    if (run) this.#queue.add(`${run.metadata.namespace}/${run.metadata.name}`);
  }

  async #podsOn(node: string): Promise<Pod[]> {
    return (
      await this.#options.client.list(podResource, undefined, { fieldSelector: `spec.nodeName=${node}` })
    ).items;
  }

  async #writeNodes(record: NodesRecord, ifMissing: boolean): Promise<void> {
    const { runUID } = record;
    const namespace = this.#namespaces.get(runUID);
    if (namespace === undefined) return;
    await this.#nodesWriter.write(namespace, record, ifMissing);
    if (!this.caches.runByUID(runUID)) this.#forgetNodes(runUID);
  }

  #forgetNodes(runUID: string): void {
    this.ledger.forget(runUID);
    this.#namespaces.delete(runUID);
  }
}

function labelsOf({ nodeGroup = 'unknown', capacityType = 'unknown' }: LedgerNode): NodeLabels {
  return { nodeGroup, capacityType };
}

function isReady(node: DeepReadonly<Node>): boolean {
  return node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
}
