/** Puts the results side together: capture, commit, index. */
import { setTimeout as sleep } from 'node:timers/promises';
import { MAX_PLAN_INDEX, type PlanIndex, planIndex } from '../../workers/contract/copyplan.ts';
import {
  NODES_RECORD,
  parseAttemptKey,
  planIndexKey,
  runPrefix,
  workerManifestKey,
} from '../../workers/contract/keys.ts';
import {
  MAX_WORKER_MANIFEST,
  type RunRecord,
  type WorkerManifest,
} from '../../workers/contract/manifests.ts';
import type { Clock } from '../kube/clock.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Logger } from '../kube/logger.ts';
import { type CaptureOptions, PodsLogCapture } from './logs/capture.ts';
import { commitRecord, readRecord } from './commit.ts';
import { ResultsIndex } from './index/database.ts';
import { rebuildIndex } from './index/rebuild.ts';
import { isLogComplete } from './index/schema.ts';
import { serializeDocument } from './record.ts';
import { readWorkerManifest } from './seal.ts';
import type {
  AttemptRef,
  CommitInput,
  CommitResult,
  LogBounds,
  Results,
  ResultsStore,
  StoreCall,
} from './types.ts';

export interface ResultsOptions {
  store: ResultsStore;
  /** Name of the results bucket, for the location in status. */
  bucket: string;
  cluster: string;
  kube: Pick<KubeClient, 'podLog'>;
  /** File of the index on a local disk, or `:memory:`. */
  indexPath: string;
  clock: Clock;
  logger: Logger;
  /** Of a commit that says nothing else: 30 s, because a busy kubelet shows an end late, and 600 s. */
  commitBounds?: LogBounds;
  capture?: Pick<CaptureOptions, 'patterns' | 'timing' | 'limits' | 'onChunk'>;
}

export class ResultsService implements Results {
  readonly logs: PodsLogCapture;
  readonly #options: ResultsOptions;
  #index: ResultsIndex | undefined;
  /** Whether every record of the bucket is in the index. */
  #complete = false;
  #building: Promise<void> = Promise.resolve();
  readonly #controller = new AbortController();

  constructor(options: ResultsOptions) {
    this.#options = options;
    const { store, cluster, kube, clock, logger } = options;
    this.logs = new PodsLogCapture({
      store,
      cluster,
      readLog: (what) => kube.podLog(what),
      clock,
      logger,
      ...options.capture,
    });
  }

  /** Undefined before {@link start}. */
  get index(): ResultsIndex | undefined {
    return this.#index;
  }
  /** What readers of logs need. */
  get library(): { store: ResultsStore; cluster: string; capture: PodsLogCapture } {
    const { store, cluster } = this.#options;
    return { store, cluster, capture: this.logs };
  }
  /** False while the index is still being made from the bucket. */
  get indexComplete(): boolean {
    return this.#complete;
  }

  async commit(input: CommitInput, signal: AbortSignal): Promise<CommitResult> {
    const { store, cluster, commitBounds } = this.#options;
    const bounds = input.logBounds ?? commitBounds ?? { idleMs: 30_000, maxMs: 600_000 };
    const record = await commitRecord(input, { store, cluster, capture: this.logs, bounds }, signal);
    this.#add(record);
    const { namespace, uid } = input.run.metadata;
    await this.logs.forget(uid);
    return { logsComplete: isLogComplete(record), location: this.locationOf({ namespace, uid }), record };
  }

  /** Where everything about a run is. */
  locationOf(run: { namespace: string; uid: string }): string {
    return `s3://${this.#options.bucket}/${this.#prefix(run)}`;
  }

  findRecord(run: { namespace: string; uid: string }, signal: AbortSignal): Promise<RunRecord | undefined> {
    return readRecord(this.#options.store, this.#options.cluster, run, signal);
  }

  async findManifest(attempt: AttemptRef, signal: AbortSignal): Promise<WorkerManifest | undefined> {
    const prefix = this.#prefix({ namespace: attempt.namespace, uid: attempt.runUID });
    const options = { signal, limit: MAX_WORKER_MANIFEST };
    const bytes = await this.#options.store.get(prefix + workerManifestKey(attempt), options);
    return readWorkerManifest(bytes, attempt);
  }

  async findManifests(
    run: { namespace: string; uid: string },
    stage: string,
    index: number,
    signal: AbortSignal,
  ): Promise<WorkerManifest[]> {
    const prefix = this.#prefix(run);
    const found: WorkerManifest[] = [];
    for await (const { key } of this.#options.store.list(`${prefix}${stage}/${index}/`, { signal })) {
      const attempt = parseAttemptKey(key.slice(prefix.length));
      if (attempt?.rest !== 'worker.json') continue;
      const bytes = await this.#options.store.get(key, { signal, limit: MAX_WORKER_MANIFEST });
      const manifest = readWorkerManifest(bytes, { ...attempt, runUID: run.uid });
      if (manifest !== undefined) found.push(manifest);
    }
    return found;
  }

  async findPlan(
    run: { namespace: string; uid: string },
    stage: string,
    signal: AbortSignal,
  ): Promise<PlanIndex | undefined> {
    const key = this.#prefix(run) + planIndexKey(stage);
    const bytes = await this.#options.store.get(key, { signal, limit: MAX_PLAN_INDEX });
    return bytes === undefined ? undefined : planIndex.parse(JSON.parse(bytes.toString('utf8')));
  }

  async writeNodes(
    run: { namespace: string; uid: string },
    nodes: Readonly<Record<string, unknown>>,
    { ifMissing, signal }: StoreCall & { ifMissing: boolean },
  ): Promise<void> {
    const key = this.#prefix(run) + NODES_RECORD;
    const options = { contentType: 'application/json', ifNoneMatch: ifMissing, signal };
    await this.#options.store.put(key, serializeDocument(nodes), options);
  }

  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#index = new ResultsIndex(this.#options.indexPath);
    this.#building = this.#build(this.#index, AbortSignal.any([signal, this.#controller.signal]));
  }

  async stop(): Promise<void> {
    this.#controller.abort(new Error('results were stopped'));
    await Promise.all([this.logs.stop(), this.#building]);
    this.#index?.close();
    this.#index = undefined;
  }

  #prefix(run: { namespace: string; uid: string }): string {
    return runPrefix({ cluster: this.#options.cluster, namespace: run.namespace, runUID: run.uid });
  }

  /** The index is only a view: a failure costs a listing, never a commit. */
  #add(record: RunRecord): void {
    try {
      this.#index?.upsert(record);
    } catch (error) {
      this.#options.logger.error(
        { run: record.run.uid, error: String(error) },
        'a record could not be indexed',
      );
    }
  }

  async #build(index: ResultsIndex, signal: AbortSignal): Promise<void> {
    const { store, cluster, logger } = this.#options;
    const onBad = (key: string, error: unknown): void =>
      logger.warn({ key, error: String(error) }, 'a record was left out of the index');
    for (let failures = 0; ; failures += 1) {
      try {
        const added = await rebuildIndex(index, { store, cluster, onBad }, signal);
        this.#complete = true;
        logger.info({ added }, 'the index is complete');
        return;
      } catch (error) {
        if (signal.aborted) return;
        logger.warn({ failures, error: String(error) }, 'the index could not be made from the bucket yet');
        await sleep(Math.min(60_000, 1000 * 2 ** Math.min(failures, 6)), undefined, { signal }).catch(
          () => undefined,
        );
        if (signal.aborted) return;
      }
    }
  }
}
