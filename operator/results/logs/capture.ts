/** Log capture of all workers: one PodCapture per pod, shared bounds, and the waiting for the end. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChunkEntry, LogIndex } from '../../../workers/contract/manifests.ts';
import type { PodLogOptions } from '../../kube/client.ts';
import type { Clock } from '../../kube/clock.ts';
import type { Logger } from '../../kube/logger.ts';
import type { DeepReadonly, Pod } from '../../kube/types.ts';
import { ChunkSink } from './chunksink.ts';
import type { HeldBytes } from './containerlog.ts';
import { Limiter } from '../../kube/limiter.ts';
import { READER_TIMING, type ReaderTiming } from './logreader.ts';
import { PodCapture, type PodCaptureDeps } from './podcapture.ts';
import type { SecretPattern } from './redact.ts';
import type { AttemptRef, LogBounds, LogCapture, ResultsStore } from '../types.ts';

export interface CaptureOptions {
  store: ResultsStore;
  cluster: string;
  /** pods/log of the API server. */
  readLog: (options: PodLogOptions) => AsyncIterable<Uint8Array>;
  clock: Clock;
  logger: Logger;
  patterns?: readonly SecretPattern[];
  timing?: Partial<ReaderTiming>;
  /** Streams followed at once, reads after the end at once (and of those that hang), indexes read at once, uploads at once, bytes held in memory in all. */
  limits?: Partial<{
    following: number;
    finishing: number;
    lingering: number;
    loading: number;
    uploads: number;
    bytes: number;
  }>;
  onChunk?(entry: ChunkEntry): void;
}

/** How often it is looked whether a log that is waited for still goes forward, in milliseconds: of hundreds at once. */
const LOOK_MS = 200;

/** Runs whose capture is over and forgotten; late news of their pods must not start it again. */
const REMEMBERED_RUNS = 10_000;

export class PodsLogCapture implements LogCapture {
  readonly #deps: PodCaptureDeps;
  readonly #pods = new Map<string, PodCapture>();
  readonly #over = new Set<string>();
  #stopped = false;

  constructor(options: CaptureOptions) {
    const limits = {
      following: 1000,
      finishing: 32,
      lingering: 32,
      loading: 4,
      uploads: 16,
      bytes: 64 * 1024 * 1024,
      ...options.limits,
    };
    const { store, cluster, readLog, clock, logger } = options;
    this.#deps = {
      store,
      cluster,
      readLog,
      clock,
      logger,
      patterns: options.patterns,
      timing: { ...READER_TIMING, ...options.timing },
      sink: new ChunkSink(store, limits),
      following: new Limiter(limits.following),
      finishing: new Limiter(limits.finishing),
      lingering: new Limiter(limits.lingering),
      loading: new Limiter(limits.loading),
      onChunk: (entry) => options.onChunk?.(entry),
    };
  }

  observe(attempt: AttemptRef, pod: DeepReadonly<Pod>): void {
    if (this.#stopped || this.#over.has(attempt.runUID)) return;
    let capture = this.#pods.get(attempt.podUID);
    if (capture === undefined) {
      capture = new PodCapture(attempt, this.#deps);
      this.#pods.set(attempt.podUID, capture);
    }
    capture.observe(attempt, pod);
  }

  observeGone(podUID: string): void {
    this.#pods.get(podUID)?.observeGone();
  }

  settled(podUID: string): boolean {
    return this.#pods.get(podUID)?.settled ?? false;
  }

  /** The pod as it was last seen; undefined when this process never saw it. */
  lastSeen(podUID: string): DeepReadonly<Pod> | undefined {
    return this.#pods.get(podUID)?.pod;
  }

  /**
   * A log that is being captured: its index and, by container, what is not stored yet. Undefined for others and after a
   * restart until it is read how far the log was: their index is in the bucket.
   */
  live(podUID: string): { index: LogIndex; held: ReadonlyMap<string, HeldBytes> } | undefined {
    const capture = this.#pods.get(podUID);
    return capture?.loaded !== true ? undefined : { index: capture.index(), held: capture.held() };
  }

  /** Workers of a run whose logs are being captured. */
  attemptsOf(runUID: string): AttemptRef[] {
    return [...this.#pods.values()]
      .map(({ attempt }) => attempt)
      .filter((attempt) => attempt.runUID === runUID);
  }

  /** The run has ended: its logs that cannot be read are given up after some tries. Returns when that began. */
  conclude(runUID: string): number {
    for (const capture of this.#pods.values()) if (capture.attempt.runUID === runUID) capture.conclude();
    return this.#deps.clock.monotonicMs();
  }

  /**
   * After the end of its run: waits until a pod's log is settled, or does not go forward for `idleMs`, or `maxMs` are
   * over since that end; then closes it. That its kubelet has not shown any container yet means nothing: a worker's
   * report may be ahead of it. Undefined for a pod that is not captured here. @throws ResultsError
   */
  async finish(
    podUID: string,
    { since, idleMs, maxMs }: LogBounds & { since: number },
    signal: AbortSignal,
  ): Promise<LogIndex | undefined> {
    const capture = this.#pods.get(podUID);
    if (capture === undefined) return undefined;
    const { clock } = this.#deps;
    while (!capture.settled) {
      const now = clock.monotonicMs();
      const idle = now - Math.max(since, capture.progressAt);
      if (idle > idleMs || now - since > maxMs)
        return capture.close('CaptureUnfinished: the log could not be read to its end in time', signal);
      await capture.settledWithin(LOOK_MS, signal);
    }
    return capture.index();
  }

  /** The run is committed: what is known about its logs is in the bucket. */
  async forget(runUID: string): Promise<void> {
    this.#over.add(runUID);
    const [oldest] = this.#over;
    if (this.#over.size > REMEMBERED_RUNS && oldest !== undefined) this.#over.delete(oldest);
    const captures = [...this.#pods].filter(([, { attempt }]) => attempt.runUID === runUID);
    for (const [podUID] of captures) this.#pods.delete(podUID);
    await Promise.all(captures.map(([, capture]) => capture.stop()));
  }

  /** Before a stop: stores what was read and still waits for its cut, as far as that is done within `ms`. */
  async storeHeld(ms: number): Promise<void> {
    const storing = Promise.allSettled([...this.#pods.values()].map((capture) => capture.storeHeld()));
    const done = new AbortController();
    const late = sleep(ms, undefined, { signal: done.signal }).catch(() => undefined);
    await Promise.race([storing, late]);
    done.abort();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#pods.values()].map((capture) => capture.stop()));
    this.#pods.clear();
  }
}
