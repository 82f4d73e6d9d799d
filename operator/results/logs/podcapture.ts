/** The logs of one pod: which containers are read, and when all of them are. */
import { RUN_RECORD, runPrefix } from '../../../workers/contract/keys.ts';
import type { LogContainer } from '../../../workers/contract/logframes.ts';
import type { ChunkEntry, LogIndex } from '../../../workers/contract/manifests.ts';
import type { PodLogOptions } from '../../kube/client.ts';
import type { Clock } from '../../kube/clock.ts';
import type { Logger } from '../../kube/logger.ts';
import type { DeepReadonly, Pod } from '../../kube/types.ts';
import { type ChunkSink, ForeignChunkError } from './chunksink.ts';
import { ContainerLog, type HeldBytes } from './containerlog.ts';
import { insist } from './insist.ts';
import type { Limiter } from '../../kube/limiter.ts';
import { AttemptIndex, workingContainer } from './logindex.ts';
import { type ContainerState, LogReader, type ReaderTiming, type ReadResult } from './logreader.ts';
import { isOver, startedContainers } from '../podview.ts';
import type { SecretPattern } from './redact.ts';
import { loadStoredLog, positionOf } from './resume.ts';
import type { AttemptRef, ResultsStore } from '../types.ts';

export interface PodCaptureDeps {
  store: ResultsStore;
  cluster: string;
  readLog: (options: PodLogOptions) => AsyncIterable<Uint8Array>;
  sink: ChunkSink;
  following: Limiter;
  finishing: Limiter;
  lingering: Limiter;
  /** Reading what is stored of a log: an index may be large. */
  loading: Limiter;
  timing: ReaderTiming;
  patterns?: readonly SecretPattern[] | undefined;
  clock: Clock;
  logger: Logger;
  /** A chunk was stored: for metrics and for those who follow. */
  onChunk(entry: ChunkEntry): void;
}

interface Reading {
  state: ContainerState;
  log: ContainerLog | undefined;
  reader: LogReader | undefined;
  result: ReadResult | undefined;
}

export class PodCapture {
  readonly #deps: PodCaptureDeps;
  readonly #prefix: string;
  readonly #controller = new AbortController();
  readonly #readings = new Map<LogContainer, Reading>();
  readonly #loaded: Promise<void>;
  #isLoaded = false;
  #concluding = false;
  readonly #index: AttemptIndex;
  #attempt: AttemptRef;
  #pod: DeepReadonly<Pod> | undefined;
  #gone = false;
  #closed = false;
  #settled = false;
  #writing: Promise<void> = Promise.resolve();
  /** When something last went forward, if only to the end of a stream, in monotonic milliseconds. */
  #progressAt: number;

  constructor(attempt: AttemptRef, deps: PodCaptureDeps) {
    this.#attempt = attempt;
    this.#deps = deps;
    this.#prefix = runPrefix({ ...attempt, cluster: deps.cluster });
    this.#index = new AttemptIndex(deps.store, this.#prefix);
    this.#progressAt = deps.clock.monotonicMs();
    this.#loaded = this.#load();
    this.#loaded.catch(() => undefined);
  }

  get attempt(): AttemptRef {
    return this.#attempt;
  }
  get settled(): boolean {
    return this.#settled;
  }
  /** When something last went forward, in monotonic milliseconds. Before anything can be read, the store is waited for. */
  get progressAt(): number {
    return this.#isLoaded ? this.#progressAt : this.#deps.clock.monotonicMs();
  }
  /** The pod as it was last seen. */
  get pod(): DeepReadonly<Pod> | undefined {
    return this.#pod;
  }

  observe(attempt: AttemptRef, pod: DeepReadonly<Pod>): void {
    this.#attempt = attempt;
    this.#pod = pod;
    this.#advance();
  }

  observeGone(): void {
    this.#gone = true;
    this.#advance();
  }

  /** The index of what is stored by now. */
  index(): LogIndex {
    return this.#index.toDocument(this.#attempt, this.#settled);
  }

  /** By container, what is there of its log beyond the index. */
  held(): Map<string, HeldBytes> {
    const held = new Map<string, HeldBytes>();
    for (const [container, { log }] of this.#readings) {
      const there = log?.held;
      if (there !== undefined && there.raw.length > 0) held.set(container, there);
    }
    return held;
  }

  /** The run has ended: from now on a log that cannot be read is given up after some tries. */
  conclude(): void {
    if (this.#concluding) return;
    this.#concluding = true;
    for (const { log, reader } of this.#readings.values()) {
      log?.hurry();
      reader?.conclude();
    }
  }

  /** Resolves when everything that was read by now is stored. */
  async storeHeld(): Promise<void> {
    await Promise.all([...this.#readings.values()].map(async ({ log }) => await log?.flush()));
  }

  /** Stops without storing anything more: whoever comes next goes on from what is stored. */
  async stop(): Promise<void> {
    this.#controller.abort(new Error('log capture was stopped'));
    await this.#writing.catch(() => undefined);
  }

  /**
   * Ends the capture for good, as it is: containers that were not read to their end get a gap.
   * @throws ResultsError when the index cannot be stored.
   */
  async close(reason: string, signal: AbortSignal): Promise<LogIndex> {
    await Promise.race([this.#loaded.catch(() => undefined), waitFor(signal)]);
    signal.throwIfAborted();
    if (!this.#settled) {
      this.#closed = true;
      this.#controller.abort(new Error(reason));
      for (const [container, { result, reader }] of this.#readings)
        if (result === undefined) this.#index.addGap(container, withError(reason, reader?.lastError));
      // Its worker has reported, so it ran, and nobody has said so.
      if (this.#readings.size === 0) this.#index.addGap(workingContainer(this.#attempt), reason);
      this.#settled = true;
    }
    await this.#writing.catch(() => undefined);
    await this.#index.write(this.#attempt, this.#settled, signal);
    return this.index();
  }

  async #load(): Promise<void> {
    const stored = await this.#insistLoading(async (signal) => {
      const found = await loadStoredLog(this.#deps.store, this.#prefix, this.#attempt, signal);
      // After the record of a run nothing about its logs changes any more.
      const sealed =
        found.index !== undefined &&
        !found.index.complete &&
        (await this.#deps.store.get(this.#prefix + RUN_RECORD, { signal })) !== undefined;
      return { ...found, sealed };
    });
    this.#index.load(stored);
    this.#isLoaded = true;
    this.#progressAt = this.#deps.clock.monotonicMs();
    if (stored.index?.complete === true || stored.sealed) {
      this.#index.loadGaps(stored);
      this.#settle();
    } else this.#advanceLoaded();
  }

  #advance(): void {
    this.#loaded.then(
      () => this.#advanceLoaded(),
      () => undefined,
    );
  }

  /** Brings the readings in line with the pod. Safe to call at any time. */
  #advanceLoaded(): void {
    if (this.#settled || this.#closed) return;
    const over = this.#gone || (this.#pod !== undefined && isOver(this.#pod));
    for (const { name, ended } of this.#pod === undefined ? [] : startedContainers(this.#pod))
      this.#note(name, ended ? 'terminated' : 'running');
    for (const name of this.#readings.keys()) {
      if (this.#gone) this.#note(name, 'gone');
      else if (over) this.#note(name, 'terminated');
    }
    if (!over || [...this.#readings.values()].some(({ result }) => result === undefined)) return;
    this.#closed = true;
    this.#finish().catch((error: unknown) => this.#complain(error, 'a log was not finished'));
  }

  #note(name: LogContainer, state: ContainerState): void {
    const reading = this.#readings.get(name);
    if (reading !== undefined) {
      reading.state = state;
      reading.reader?.note(state);
      return;
    }
    const fresh: Reading = { state, log: undefined, reader: undefined, result: undefined };
    this.#readings.set(name, fresh);
    this.#read(name, fresh).catch((error: unknown) => this.#complain(error, 'a log reader failed'));
  }

  async #read(container: LogContainer, reading: Reading): Promise<void> {
    for (;;) {
      try {
        reading.result = await this.#readFrom(container, reading);
        break;
      } catch (error) {
        if (!(error instanceof ForeignChunkError)) throw error;
        const stored = await this.#insistLoading((signal) =>
          loadStoredLog(this.#deps.store, this.#prefix, this.#attempt, signal),
        );
        this.#index.reload(container, stored);
      }
    }
    if (!reading.result.complete) this.#index.addGap(container, reading.result.reason);
    this.#goForward();
    this.#advanceLoaded();
  }

  #goForward(): void {
    this.#progressAt = this.#deps.clock.monotonicMs();
  }

  async #readFrom(container: LogContainer, reading: Reading): Promise<ReadResult> {
    const { store, sink, clock, patterns, readLog, following, finishing, lingering, logger, timing } =
      this.#deps;
    const { signal } = this.#controller;
    const stored = await this.#insistLoading((inner) =>
      positionOf(store, this.#prefix, this.#attempt, this.#index.chunks, container, inner),
    );
    if (this.#index.takeFirst())
      await this.#insist((inner) => this.#index.write(this.#attempt, this.#settled, inner));
    const log = new ContainerLog({
      container,
      prefix: this.#prefix,
      attempt: this.#attempt,
      sink,
      clock,
      patterns,
      stored,
      signal,
      onChunk: (entry) => this.#stored(entry),
    });
    const target = { namespace: this.#attempt.namespace, pod: this.#attempt.podName, container };
    const reader = new LogReader({
      target,
      readLog,
      log,
      following,
      finishing,
      lingering,
      logger,
      timing,
      signal,
      // A kubelet that serves a log to its end, again and again, is there; that it shows the end may take it long.
      onEndOfStream: () => this.#goForward(),
    });
    reading.log = log;
    reading.reader = reader;
    reader.note(reading.state);
    if (this.#concluding) {
      log.hurry();
      reader.conclude();
    }
    try {
      return await reader.run();
    } finally {
      log.discard();
      reading.log = undefined;
    }
  }

  #stored(entry: ChunkEntry): void {
    this.#progressAt = this.#deps.clock.monotonicMs();
    const due = this.#index.add(entry, this.#progressAt);
    this.#deps.onChunk(entry);
    if (!due) return;
    // Only saves decoding after a restart: the chunks themselves are stored.
    this.#writing = this.#writing
      .catch(() => undefined)
      .then(() =>
        this.#closed ? undefined : this.#index.write(this.#attempt, this.#settled, this.#controller.signal),
      );
    this.#writing.catch(() => undefined);
  }

  async #finish(): Promise<void> {
    await this.#writing.catch(() => undefined);
    await this.#insist((signal) => this.#index.write(this.#attempt, true, signal));
    this.#settle();
  }

  #insistLoading<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.#insist((signal) => this.#deps.loading.run(() => work(signal), signal));
  }

  async #insist<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { podUID } = this.#attempt;
    return await insist(work, { podUID, logger: this.#deps.logger, signal: this.#controller.signal });
  }

  /** What fails because the capture was stopped is no news. */
  #complain(error: unknown, message: string): void {
    if (this.#controller.signal.aborted) return;
    this.#deps.logger.error({ podUID: this.#attempt.podUID, error: String(error) }, message);
  }

  #settle(): void {
    this.#settled = true;
    this.#closed = true;
  }
}

function withError(reason: string, error: string | undefined): string {
  return error === undefined ? reason : `${reason} (last error: ${error})`;
}

function waitFor(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
