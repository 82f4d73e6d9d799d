/**
 * What the results side offers to the rest of the operator: capturing logs, committing the record of a run, and
 * finding it again. The bucket is the truth; everything else here is a view of it.
 */
import type { StageKind } from '../api/defaults.ts';
import type { PipelineRun } from '../api/types.ts';
import type { DeepReadonly, Pod } from '../kube/types.ts';
import type { PlanIndex } from '../../workers/contract/copyplan.ts';
import type { RunRecord, WorkerManifest } from '../../workers/contract/manifests.ts';

/** One worker attempt: the pod UID is its identity, the rest says where it belongs. */
export interface AttemptRef {
  runUID: string;
  run: string;
  namespace: string;
  stage: string;
  kind: StageKind;
  index: number;
  /** Attempt of the stage, counted from 1. */
  attempt: number;
  podUID: string;
  podName: string;
  /** Absent while (or because) the pod never got a node. */
  nodeName?: string;
}

export interface StoreCall {
  signal: AbortSignal;
}

/** A URL that is a secret, the headers to send with it, and when it dies. */
export interface SignedGrant {
  url: string;
  headers: Readonly<Record<string, string>>;
  expiresAt: Date;
}

/** The results bucket. Keys are absolute in it. What it refuses is thrown as ResultsError. */
export interface ResultsStore {
  /** With `ifNoneMatch`, `exists` when there is an object of that key, whoever wrote it. */
  put(
    key: string,
    bytes: Uint8Array,
    options: StoreCall & { ifNoneMatch?: boolean; contentType?: string },
  ): Promise<'written' | 'exists'>;
  /** Undefined where there is no such object. Of one that a pod wrote, at most `limit` bytes from its beginning. */
  get(key: string, options: StoreCall & { limit?: number }): Promise<Buffer | undefined>;
  /** In key order, from the first key after `startAfter`. */
  list(
    prefix: string,
    options: StoreCall & { startAfter?: string },
  ): AsyncIterable<{ key: string; size: number }>;
  presignPut(key: string, options: StoreCall): Promise<SignedGrant>;
  presignGet(key: string, options: StoreCall): Promise<SignedGrant>;
}

/** Captures the log of every container of every worker. */
export interface LogCapture {
  /** Level-triggered: call it on every change of a pod of ours, in any order and as often as you like. */
  observe(attempt: AttemptRef, pod: DeepReadonly<Pod>): void;
  /** The pod is not in the API any more. */
  observeGone(podUID: string): void;
  /** True when every container that ever started has been read to its end, or the pod is gone; false when unknown. */
  settled(podUID: string): boolean;
  stop(): Promise<void>;
}

/** How long the end of a log is waited for: without anything coming, and in all. */
export interface LogBounds {
  idleMs: number;
  maxMs: number;
}

export interface CommitInput {
  /** With `status.outcome` and the final `status.stages`. */
  run: DeepReadonly<PipelineRun>;
  /** Every attempt the operator knows of; those it forgot are found in the bucket. */
  attempts: readonly AttemptRef[];
  namespaceUID?: string;
  nodes: { launched: number; nodeSeconds: number };
  discrepancies: readonly string[];
  /** Of a run that cannot wait for its logs as long as others do. */
  logBounds?: LogBounds;
}

export interface CommitResult {
  /** False when a log has a gap. */
  logsComplete: boolean;
  /** `s3://bucket/prefix/` of everything that belongs to the run. */
  location: string;
  record: RunRecord;
}

export interface Results {
  logs: LogCapture;
  /** Idempotent; an existing record wins over whatever the input says. Throws ResultsError when the store refuses. */
  commit(input: CommitInput, signal: AbortSignal): Promise<CommitResult>;
  findRecord(run: { namespace: string; uid: string }, signal: AbortSignal): Promise<RunRecord | undefined>;
  /** The last word of a worker, if it left one that is its own. Throws ResultsError when the store refuses. */
  findManifest(attempt: AttemptRef, signal: AbortSignal): Promise<WorkerManifest | undefined>;
  /** The last words of every pod of a worker that left one, whichever pods are still there. Throws ResultsError. */
  findManifests(
    run: { namespace: string; uid: string },
    stage: string,
    index: number,
    signal: AbortSignal,
  ): Promise<WorkerManifest[]>;
  /** The plan that a copy stage has stored, if it has. Throws ResultsError when the store refuses. */
  findPlan(
    run: { namespace: string; uid: string },
    stage: string,
    signal: AbortSignal,
  ): Promise<Pick<PlanIndex, 'workers'> | undefined>;
  /** Stores `nodes.json`, the final figures about the nodes of a committed run; with `ifMissing` one that is there stays. */
  writeNodes(
    run: { namespace: string; uid: string },
    nodes: Readonly<Record<string, unknown>>,
    options: StoreCall & { ifMissing: boolean },
  ): Promise<void>;
  /** Opens the index; it is rebuilt from the bucket in the background. */
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}
