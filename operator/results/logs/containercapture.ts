/** The log of one container of a pod: read from where the store has it, to its end. */
import type { LogContainer } from '../../../workers/contract/logframes.ts';
import type { ChunkEntry } from '../../../workers/contract/manifests.ts';
import type { PodLogOptions } from '../../kube/client.ts';
import type { Clock } from '../../kube/clock.ts';
import type { Limiter } from '../../kube/limiter.ts';
import type { Logger } from '../../kube/logger.ts';
import type { AttemptRef, ResultsStore } from '../types.ts';
import { type ChunkSink, ForeignChunkError } from './chunksink.ts';
import { ContainerLog, type HeldBytes } from './containerlog.ts';
import type { AttemptIndex } from './logindex.ts';
import { type ContainerState, LogReader, type ReaderTiming, type ReadResult } from './logreader.ts';
import type { SecretPattern } from './redact.ts';
import { loadStoredLog, positionOf } from './resume.ts';

export interface ContainerCaptureDeps {
  store: ResultsStore;
  readLog: (options: PodLogOptions) => AsyncIterable<Uint8Array>;
  sink: ChunkSink;
  following: Limiter;
  finishing: Limiter;
  lingering: Limiter;
  timing: ReaderTiming;
  patterns?: readonly SecretPattern[] | undefined;
  clock: Clock;
  logger: Logger;
}

/** What the containers of a pod have in common. */
export interface CaptureHost {
  readonly prefix: string;
  readonly index: AttemptIndex;
  readonly signal: AbortSignal;
  /** As it is known by now. */
  attempt(): AttemptRef;
  /** Does it until the store lets it happen. */
  insist<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** The same for reading what is stored of the log. */
  insistLoading<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** One try. */
  writeIndex(signal: AbortSignal): Promise<void>;
  stored(entry: ChunkEntry): void;
  wentForward(): void;
}

export class ContainerCapture {
  readonly #container: LogContainer;
  readonly #host: CaptureHost;
  readonly #deps: ContainerCaptureDeps;
  #state: ContainerState;
  #concluding = false;
  #log: ContainerLog | undefined;
  #reader: LogReader | undefined;
  #result: ReadResult | undefined;

  constructor(
    container: LogContainer,
    state: ContainerState,
    { host, deps }: { host: CaptureHost; deps: ContainerCaptureDeps },
  ) {
    this.#container = container;
    this.#state = state;
    this.#host = host;
    this.#deps = deps;
  }

  /** Whether the log was read as far as it ever will be. */
  get ended(): boolean {
    return this.#result !== undefined;
  }

  /** What is there of the log beyond what is stored. */
  get held(): HeldBytes | undefined {
    return this.#log?.held;
  }

  /** How reading failed last, in words. */
  get lastError(): string | undefined {
    return this.#reader?.lastError;
  }

  note(state: ContainerState): void {
    this.#state = state;
    this.#reader?.note(state);
  }

  /** The run has ended: from now on a log that cannot be read is given up after some tries. */
  conclude(): void {
    this.#concluding = true;
    this.#log?.hurry();
    this.#reader?.conclude();
  }

  /** Resolves when everything that was read by now is stored. */
  async storeHeld(): Promise<void> {
    await this.#log?.flush();
  }

  /** Reads to the end; what is missing then is a gap in the index. @throws the signal's reason. */
  async run(): Promise<void> {
    this.#result = await this.#read();
    if (!this.#result.complete) this.#host.index.addGap(this.#container, this.#result.reason);
  }

  async #read(): Promise<ReadResult> {
    const host = this.#host;
    for (;;) {
      try {
        return await this.#readOn();
      } catch (error) {
        // An operator before this one has stored more than was known here.
        if (!(error instanceof ForeignChunkError)) throw error;
        const stored = await host.insistLoading((signal) =>
          loadStoredLog(this.#deps.store, host.prefix, host.attempt(), signal),
        );
        host.index.reload(this.#container, stored);
      }
    }
  }

  async #readOn(): Promise<ReadResult> {
    const container = this.#container;
    const { store, sink, clock, patterns, readLog, following, finishing, lingering, logger, timing } =
      this.#deps;
    const host = this.#host;
    const { index, prefix, signal } = host;
    const stored = await host.insistLoading((inner) =>
      positionOf(store, prefix, host.attempt(), index.chunks, container, inner),
    );
    if (index.takeFirst()) await host.insist((inner) => host.writeIndex(inner));
    const attempt = host.attempt();
    const onChunk = (entry: ChunkEntry): void => host.stored(entry);
    const log = new ContainerLog({
      container,
      prefix,
      attempt,
      sink,
      clock,
      patterns,
      stored,
      signal,
      onChunk,
    });
    const reader = new LogReader({
      target: { namespace: attempt.namespace, pod: attempt.podName, container },
      readLog,
      log,
      following,
      finishing,
      lingering,
      logger,
      timing,
      signal,
      // A kubelet that serves a log to its end, again and again, is there; that it shows the end may take it long.
      onEndOfStream: () => host.wentForward(),
    });
    this.#log = log;
    this.#reader = reader;
    reader.note(this.#state);
    if (this.#concluding) this.conclude();
    try {
      return await reader.run();
    } finally {
      log.discard();
      this.#log = undefined;
    }
  }
}
