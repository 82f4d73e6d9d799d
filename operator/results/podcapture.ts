/** The logs of one pod: which containers are read, what is stored of them, and the index of it in the bucket. */
import { setTimeout as sleep } from 'node:timers/promises';
import { logIndexKey, RUN_RECORD, runPrefix } from '../../workers/contract/keys.ts';
import type { LogContainer } from '../../workers/contract/logframes.ts';
import type { ChunkEntry, LogGap, LogIndex } from '../../workers/contract/manifests.ts';
import type { PodLogOptions } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import type { Logger } from '../kube/logger.ts';
import type { DeepReadonly, Pod } from '../kube/types.ts';
import { type ChunkSink, ForeignChunkError } from './chunksink.ts';
import { ContainerLog } from './containerlog.ts';
import type { Limiter } from './limiter.ts';
import { type ContainerState, LogReader, type ReaderTiming, type ReadResult } from './logreader.ts';
import { isOver, startedContainers } from './podview.ts';
import type { SecretPattern } from './redact.ts';
import { loadStoredLog, positionOf, sortChunks } from './resume.ts';
import type { AttemptRef, ResultsStore } from './types.ts';

export interface PodCaptureDeps {
  store: ResultsStore;
  cluster: string;
  readLog: (options: PodLogOptions) => AsyncIterable<Uint8Array>;
  sink: ChunkSink;
  following: Limiter;
  finishing: Limiter;
  timing: ReaderTiming;
  patterns?: readonly SecretPattern[] | undefined;
  clock: Clock;
  logger: Logger;
  /** A chunk was stored: for metrics and for those who follow. */
  onChunk(entry: ChunkEntry): void;
  onSettled(runUID: string): void;
}

/** The index is written again after so many chunks, or when the last writing is so long ago. */
const INDEX_EVERY_CHUNKS = 64;
const INDEX_EVERY_MS = 60_000;

interface Reading {
  state: ContainerState;
  reader: LogReader | undefined;
  result: ReadResult | undefined;
}

/** The document that says whose log this is. */
export function logHead(attempt: AttemptRef): Omit<LogIndex, 'capture' | 'complete' | 'chunks' | 'gaps'> {
  const { runUID, run, namespace, stage, index, podUID, podName, nodeName } = attempt;
  return {
    version: 1,
    run: { uid: runUID, name: run, namespace },
    stage,
    index,
    attempt: attempt.attempt,
    podUID,
    podName,
    ...(nodeName === undefined ? {} : { nodeName }),
  };
}

export class PodCapture {
  readonly #deps: PodCaptureDeps;
  readonly #prefix: string;
  readonly #controller = new AbortController();
  readonly #readings = new Map<LogContainer, Reading>();
  readonly #loaded: Promise<void>;
  #attempt: AttemptRef;
  #pod: DeepReadonly<Pod> | undefined;
  #gone = false;
  #closed = false;
  #settled = false;
  #chunks: ChunkEntry[] = [];
  #gaps: LogGap[] = [];
  #indexed = { chunks: 0, at: 0, started: false };
  #writing: Promise<void> = Promise.resolve();
  /** When something last went forward, in monotonic milliseconds. */
  #progressAt: number;

  constructor(attempt: AttemptRef, deps: PodCaptureDeps) {
    this.#attempt = attempt;
    this.#deps = deps;
    this.#prefix = runPrefix({ ...attempt, cluster: deps.cluster });
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
  get progressAt(): number {
    return this.#progressAt;
  }
  /** Whether any container of the pod has started, so that there is a log to wait for. */
  get hasStarted(): boolean {
    return this.#readings.size > 0;
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
    return {
      ...logHead(this.#attempt),
      capture: 'PodsLog',
      complete: this.#settled && this.#gaps.length === 0,
      chunks: sortChunks(this.#chunks),
      gaps: this.#gaps,
    };
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
      for (const [container, reading] of this.#readings)
        if (reading.result === undefined) this.#addGap(container, reason);
      this.#settled = true;
    }
    await this.#writing.catch(() => undefined);
    await this.#putIndex(signal);
    return this.index();
  }

  async #load(): Promise<void> {
    const stored = await this.#insist(async (signal) => {
      const found = await loadStoredLog(this.#deps.store, this.#prefix, this.#attempt, signal);
      // After the record of a run nothing about its logs changes any more.
      const sealed =
        found.index !== undefined &&
        !found.index.complete &&
        (await this.#deps.store.get(this.#prefix + RUN_RECORD, { signal })) !== undefined;
      return { ...found, sealed };
    });
    this.#chunks = stored.chunks;
    this.#indexed.started = stored.index !== undefined;
    if (stored.index?.complete === true || stored.sealed) {
      this.#gaps = stored.index?.gaps ?? [];
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
    this.#finish().catch((error: unknown) => {
      if (!this.#controller.signal.aborted)
        this.#deps.logger.error(
          { podUID: this.#attempt.podUID, error: String(error) },
          'a log was not finished',
        );
    });
  }

  #note(name: LogContainer, state: ContainerState): void {
    const reading = this.#readings.get(name);
    if (reading !== undefined) {
      reading.state = state;
      reading.reader?.note(state);
      return;
    }
    const fresh: Reading = { state, reader: undefined, result: undefined };
    this.#readings.set(name, fresh);
    this.#read(name, fresh).catch((error: unknown) => {
      if (!this.#controller.signal.aborted)
        this.#deps.logger.error(
          { podUID: this.#attempt.podUID, error: String(error) },
          'a log reader failed',
        );
    });
  }

  async #read(container: LogContainer, reading: Reading): Promise<void> {
    for (;;) {
      try {
        reading.result = await this.#readFrom(container, reading);
        break;
      } catch (error) {
        if (!(error instanceof ForeignChunkError)) throw error;
        const { chunks } = await this.#insist((signal) =>
          loadStoredLog(this.#deps.store, this.#prefix, this.#attempt, signal),
        );
        const others = this.#chunks.filter((chunk) => chunk.container !== container);
        this.#chunks = [...others, ...chunks.filter((chunk) => chunk.container === container)];
      }
    }
    if (!reading.result.complete) this.#addGap(container, reading.result.reason);
    this.#progressAt = this.#deps.clock.monotonicMs();
    this.#advanceLoaded();
  }

  async #readFrom(container: LogContainer, reading: Reading): Promise<ReadResult> {
    const { store, sink, clock, patterns, readLog, following, finishing, logger, timing } = this.#deps;
    const { signal } = this.#controller;
    const stored = await this.#insist((inner) =>
      positionOf(store, this.#prefix, this.#attempt, this.#chunks, container, inner),
    );
    if (!this.#indexed.started) {
      this.#indexed.started = true;
      await this.#insist((inner) => this.#putIndex(inner));
    }
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
    const reader = new LogReader({ target, readLog, log, following, finishing, logger, timing, signal });
    reading.reader = reader;
    reader.note(reading.state);
    try {
      return await reader.run();
    } finally {
      log.discard();
    }
  }

  #stored(entry: ChunkEntry): void {
    this.#chunks.push(entry);
    this.#progressAt = this.#deps.clock.monotonicMs();
    this.#deps.onChunk(entry);
    const due =
      this.#chunks.length - this.#indexed.chunks >= INDEX_EVERY_CHUNKS ||
      this.#progressAt - this.#indexed.at >= INDEX_EVERY_MS;
    if (!due) return;
    this.#indexed = { chunks: this.#chunks.length, at: this.#progressAt, started: true };
    // Only saves decoding after a restart: the chunks themselves are stored.
    this.#writing = this.#writing
      .catch(() => undefined)
      .then(() => (this.#closed ? undefined : this.#putIndex(this.#controller.signal)));
    this.#writing.catch(() => undefined);
  }

  async #finish(): Promise<void> {
    await this.#writing.catch(() => undefined);
    await this.#insist((signal) => this.#putIndex(signal, this.#gaps.length === 0));
    this.#settle();
  }

  #settle(): void {
    this.#settled = true;
    this.#closed = true;
    this.#deps.onSettled(this.#attempt.runUID);
  }

  #addGap(container: LogContainer, reason: string): void {
    const last = this.#chunks.findLast((chunk) => chunk.container === container);
    this.#gaps.push({
      container,
      afterSeq: last?.seq ?? -1,
      ...(last === undefined ? {} : { from: last.t1 }),
      reason,
    });
  }

  async #putIndex(signal: AbortSignal, complete?: boolean): Promise<void> {
    const index = this.index();
    const bytes = Buffer.from(JSON.stringify({ ...index, complete: complete ?? index.complete }));
    await this.#deps.store.put(this.#prefix + logIndexKey(this.#attempt), bytes, {
      contentType: 'application/json',
      signal,
    });
  }

  /** Does it until the store lets it happen. @throws the signal's reason once the capture is stopped. */
  async #insist<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal } = this.#controller;
    for (let failures = 0; ; failures += 1) {
      try {
        return await work(signal);
      } catch (error) {
        if (signal.aborted) throw error;
        this.#deps.logger.warn(
          {
            podUID: this.#attempt.podUID,
            failures,
            reason: error instanceof Error ? error.message : 'unknown',
          },
          'the results store could not be used for a log',
        );
        await sleep(Math.min(10_000, 200 * 2 ** Math.min(failures, 8)), undefined, { signal });
      }
    }
  }
}

function waitFor(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
