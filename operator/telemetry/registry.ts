/** All metrics of the operator in one registry. */
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { KubeMetrics } from '../kube/metrics.ts';
import { createKubeSink } from './kubesink.ts';
import { type RunLabels, RunLabelGuard } from './labels.ts';
import { createInstruments, type Instruments } from './metrics.ts';
import { createRunSink, type RunMetrics } from './runsink.ts';

export interface MetricsOptions {
  /** Version of Ebbflow, for build_info. */
  version: string;
  /** Version of Node that runs it, for build_info. */
  node: string;
  /** Different pairs of namespace and pipeline that get their own series; 200 unless given. */
  maxPipelines?: number;
  /** Also the process's own metrics (memory, event loop, garbage collection); true unless given. */
  processMetrics?: boolean;
  /** Milliseconds that only grow. */
  monotonicMs?: () => number;
}

/** A run as the gauge `ebbflow_runs` counts it. */
export interface RunState extends RunLabels {
  /** Reason of its Succeeded condition. */
  readonly phase: string;
}

/** A running copy stage. */
export interface CopyState extends RunLabels {
  readonly perSecond: number;
  readonly left: number;
}

export interface Metrics {
  readonly registry: Registry;
  readonly instruments: Instruments;
  /** For the controller library. */
  readonly kube: KubeMetrics;
  /** For everything that knows of runs. */
  readonly runs: RunMetrics;
  /** What `ebbflow_runs` counts at each scrape: pass a function that reads the store. */
  countRuns(source: () => Iterable<RunState>): void;
  /** What `ebbflow_copy_objects_per_second` and `ebbflow_copy_objects_left` sum up at each scrape. */
  countCopies(source: () => Iterable<CopyState>): void;
  /** What `ebbflow_results_pending` says at each scrape. */
  countPending(source: () => number): void;
  /** The text that is served. */
  expose(): Promise<{ contentType: string; body: string }>;
}

/** A registry of its own with every metric in it: two operators in one process (tests) do not meet. */
export function createMetrics({
  version,
  node,
  maxPipelines = 200,
  processMetrics = true,
  monotonicMs = () => performance.now(),
}: MetricsOptions): Metrics {
  const registry = new Registry();
  const instruments = createInstruments(registry);
  if (processMetrics) collectDefaultMetrics({ register: registry });
  instruments.buildInfo.set({ version, node }, 1);

  const guard = new RunLabelGuard(maxPipelines);
  const kube = createKubeSink(instruments, monotonicMs);
  let runSource: () => Iterable<RunState> = () => [];
  let copySource: () => Iterable<CopyState> = () => [];
  let pendingSource: () => number = () => 0;

  return {
    registry,
    instruments,
    kube,
    runs: createRunSink(instruments, guard),
    countRuns: (source) => (runSource = source),
    countCopies: (source) => (copySource = source),
    countPending: (source) => (pendingSource = source),
    async expose() {
      kube.collect();
      instruments.resultsPending.set(pendingSource());
      instruments.runs.reset();
      for (const { phase, ...run } of runSource()) instruments.runs.inc({ ...guard.bound(run), phase });
      instruments.copyRate.reset();
      instruments.copyLeft.reset();
      for (const { perSecond, left, ...run } of copySource()) {
        instruments.copyRate.inc(guard.bound(run), perSecond);
        instruments.copyLeft.inc(guard.bound(run), left);
      }
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
  };
}
