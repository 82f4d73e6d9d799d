/** What the worker API needs from the rest of the operator, and how it describes a caller to it. */
import type { StageKind } from '../api/defaults.ts';
import type { PipelineRun } from '../api/types.ts';
import type { Clock } from '../kube/clock.ts';
import type { Logger } from '../kube/logger.ts';
import type { DeepReadonly, Job, Pod, TokenReviewStatus } from '../kube/types.ts';
import type { ResultsStore } from '../results/types.ts';
import type { WorkerManifest } from '../../workers/contract/manifests.ts';
import type { ProgressRequest } from '../../workers/contract/workerapi.ts';

/** Who is calling, established from the token, the pod, its Job and the run alone. */
export interface WorkerCaller {
  namespace: string;
  runUID: string;
  run: string;
  stage: string;
  kind: StageKind;
  /** Attempt of the stage, counted from 1. */
  attempt: number;
  index: number;
  podUID: string;
  podName: string;
  nodeName?: string;
  dependsOn: readonly string[];
  /** Workers that the caller's Job has, as far as the operator has seen it. */
  workers: number;
}

/** Looks in a cache first and asks the API server when it is not there. */
export interface LiveLookup<T> {
  cached(namespace: string, name: string): DeepReadonly<T> | undefined;
  /** Undefined for 404. */
  fetch(namespace: string, name: string, signal: AbortSignal): Promise<T | undefined>;
}

export interface WorkerApiDeps {
  tokenReview(token: string, audiences: readonly string[], signal: AbortSignal): Promise<TokenReviewStatus>;
  pods: LiveLookup<Pod>;
  jobs: LiveLookup<Job>;
  /** The run of that UID in the cache. */
  run(uid: string): DeepReadonly<PipelineRun> | undefined;
  store: ResultsStore;
  cluster: string;
  /** Persisted before it returns. An error with code RUN_SUSPENDED or ATTEMPT_UNKNOWN neither admits nor refuses. */
  admit(caller: WorkerCaller, signal: AbortSignal): Promise<{ admitted: boolean; message?: string }>;
  reported(caller: WorkerCaller, manifest: WorkerManifest): void;
  /** The plan of the caller's stage is stored, with shards for so many workers. */
  planned(caller: WorkerCaller, workers: number): void;
  progressed(caller: WorkerCaller, progress: ProgressRequest): void;
  /** Whether the operator has given this pod up, so that it must not write any more. */
  fenced(podUID: string): boolean;
  clock: Clock;
  log: Logger;
}
