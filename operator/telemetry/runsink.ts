/** The metrics of runs. */
import type { RunLabelGuard, RunLabels } from './labels.ts';
import type { Instruments } from './metrics.ts';

export type StageKind = 'copy' | 'train' | 'container';
export type Result = 'Succeeded' | 'Failed' | 'Canceled';

/** Machine labels of a node, both bounded by the autoscaler's configuration. */
export interface NodeLabels {
  /** NodePool or node group; `unknown` when the node does not say. */
  readonly nodeGroup: string;
  /** `spot`, `on-demand`, or `unknown`. */
  readonly capacityType: string;
}

/** Totals of one finished copy worker. */
export interface CopyFigures {
  readonly copied: number;
  readonly skipped: number;
  readonly unchanged: number;
  readonly failed: number;
  /** Sources that mode Move deleted. */
  readonly moved: number;
  readonly bytes: number;
}

/** Requests of one finished copy stage to the stores of its data. */
export interface CopyTraffic {
  readonly requests: number;
  /** Of these, refused for being too many. */
  readonly throttled: number;
}

/** What the operator reports about runs. All durations are seconds. */
export interface RunMetrics {
  /** Once per run UID, on the winning write of the terminal condition. `reason` is one of the API's. */
  runFinished(run: RunLabels & { result: Result; reason: string; seconds: number }): void;
  /** The first main container of a run has started, so long after the run was created. */
  runStarted(run: RunLabels, seconds: number): void;
  /** A stage reached a final state. */
  stageFinished(run: RunLabels & { kind: StageKind; result: string; seconds: number }): void;
  stageRetried(kind: StageKind, reason: string): void;
  /** Job created → first pod has a node. */
  nodeWait(kind: StageKind, seconds: number): void;
  /** Pod has a node → main container started. */
  stageStart(kind: StageKind, seconds: number): void;
  /** Outcome of a stage → the next stage's Job is created. */
  handover(seconds: number): void;
  nodeLaunched(node: NodeLabels): void;
  nodeGone(node: NodeLabels, seconds: number): void;
  copied(run: RunLabels, figures: CopyFigures, traffic: CopyTraffic): void;
  logStored(rawBytes: number, storedBytes: number): void;
  logDropped(reason: string, bytes: number): void;
  logIncomplete(reason: string): void;
  /** Outcome decided → record stored. */
  committed(seconds: number): void;
  indexOperation(operation: string, seconds: number): void;
  /** `code` is the HTTP status, or `error`. */
  storeRequest(operation: string, code: string, seconds: number): void;
  /** `route` is the pattern, never the path. */
  workerRequest(route: string, code: number, seconds: number): void;
}

export function createRunSink(instruments: Instruments, guard: RunLabelGuard): RunMetrics {
  return {
    runFinished({ result, reason, seconds, ...run }) {
      const labels = guard.bound(run);
      instruments.runsFinished.inc({ ...labels, result, reason });
      instruments.runSeconds.observe({ ...labels, result }, positive(seconds));
    },
    runStarted: (run, seconds) => instruments.runQueueSeconds.observe(guard.bound(run), positive(seconds)),
    stageFinished: ({ kind, result, seconds, ...run }) =>
      instruments.stageSeconds.observe({ ...guard.bound(run), kind, result }, positive(seconds)),
    stageRetried: (kind, reason) => instruments.stageRetries.inc({ kind, reason }),
    nodeWait: (kind, seconds) => instruments.nodeWaitSeconds.observe({ kind }, positive(seconds)),
    stageStart: (kind, seconds) => instruments.stageStartSeconds.observe({ kind }, positive(seconds)),
    handover: (seconds) => instruments.handoverSeconds.observe(positive(seconds)),
    nodeLaunched: (node) => instruments.nodesLaunched.inc(nodeLabels(node)),
    nodeGone: (node, seconds) => instruments.nodeSeconds.inc(nodeLabels(node), positive(seconds)),
    copied(run, { bytes, ...objects }, { requests, throttled }) {
      const labels = guard.bound(run);
      for (const [result, count] of Object.entries(objects))
        if (count > 0) instruments.copyObjects.inc({ ...labels, result }, count);
      instruments.copyBytes.inc(labels, positive(bytes));
      instruments.copyRequests.inc({ ...labels, outcome: 'throttled' }, positive(throttled));
      instruments.copyRequests.inc({ ...labels, outcome: 'other' }, positive(requests - throttled));
    },
    logStored(rawBytes, storedBytes) {
      instruments.logRawBytes.inc(positive(rawBytes));
      instruments.logStoredBytes.inc(positive(storedBytes));
    },
    logDropped: (reason, bytes) => instruments.logDroppedBytes.inc({ reason }, positive(bytes)),
    logIncomplete: (reason) => instruments.logsIncomplete.inc({ reason }),
    committed: (seconds) => instruments.commitSeconds.observe(positive(seconds)),
    indexOperation: (operation, seconds) =>
      instruments.indexSeconds.observe({ operation }, positive(seconds)),
    storeRequest(operation, code, seconds) {
      instruments.storeRequests.inc({ operation, code });
      instruments.storeRequestSeconds.observe({ operation }, positive(seconds));
    },
    workerRequest(route, code, seconds) {
      instruments.workerRequests.inc({ route, code: String(code) });
      instruments.workerRequestSeconds.observe({ route }, positive(seconds));
    },
  };
}

/** Clocks of different machines may disagree: a negative duration counts as 0, because counters refuse it. */
function positive(amount: number): number {
  return amount > 0 && Number.isFinite(amount) ? amount : 0;
}

function nodeLabels({ nodeGroup, capacityType }: NodeLabels): { node_group: string; capacity_type: string } {
  return { node_group: nodeGroup, capacity_type: capacityType };
}
