/** The logs of one pod: which containers are read, and when all of them are. */
import { setTimeout as sleep } from 'node:timers/promises';
import { RUN_RECORD, runPrefix } from '../../../workers/contract/keys.ts';
import type { LogContainer } from '../../../workers/contract/logframes.ts';
import type { ChunkEntry, LogIndex } from '../../../workers/contract/manifests.ts';
import type { Limiter } from '../../kube/limiter.ts';
import type { DeepReadonly, Pod } from '../../kube/types.ts';
import { isOver, startedContainers } from '../podview.ts';
import type { AttemptRef } from '../types.ts';
import { type CaptureHost, ContainerCapture, type ContainerCaptureDeps } from './containercapture.ts';
import type { HeldBytes } from './containerlog.ts';
import { insist } from './insist.ts';
import { AttemptIndex, workingContainer } from './logindex.ts';
import type { ContainerState } from './logreader.ts';
import { loadStoredLog } from './resume.ts';

export interface PodCaptureDeps extends ContainerCaptureDeps {
  cluster: string;
  /** Reading what is stored of a log: an index may be large. */
  loading: Limiter;
  /** A chunk was stored: for metrics and for those who follow. */
  onChunk(entry: ChunkEntry): void;
}

export class PodCapture {
  readonly #deps: PodCaptureDeps;
  readonly #prefix: string;
  readonly #controller = new AbortController();
  readonly #containers = new Map<LogContainer, ContainerCapture>();
  readonly #host: CaptureHost;
  readonly #loaded: Promise<void>;
  #isLoaded = false;
  #concluding = false;
  readonly #index: AttemptIndex;
  #attempt: AttemptRef;
  #pod: DeepReadonly<Pod> | undefined;
  #gone = false;
  #closed = false;
  #settled = false;
  /** Those who wait until it is settled. */
  readonly #waiting = new Set<() => void>();
  #writing: Promise<void> = Promise.resolve();
  /** When something last went forward, if only to the end of a stream, in monotonic milliseconds. */
  #progressAt: number;

  constructor(attempt: AttemptRef, deps: PodCaptureDeps) {
    this.#attempt = attempt;
    this.#deps = deps;
    this.#prefix = runPrefix({ ...attempt, cluster: deps.cluster });
    this.#index = new AttemptIndex(deps.store, this.#prefix);
    this.#host = {
      prefix: this.#prefix,
      index: this.#index,
      signal: this.#controller.signal,
      attempt: () => this.#attempt,
      insist: (work) => this.#insist(work),
      insistLoading: (work) => this.#insistLoading(work),
      writeIndex: (signal) => this.#index.write(this.#attempt, this.#settled, signal),
      stored: (entry) => this.#stored(entry),
      wentForward: () => this.#goForward(),
    };
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
  /** Whether what is stored of the logs is known here: before, the index looks as if there were nothing. */
  get loaded(): boolean {
    return this.#isLoaded;
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
    for (const [container, { held: there }] of this.#containers)
      if (there !== undefined && there.raw.length > 0) held.set(container, there);
    return held;
  }

  /** The run has ended: from now on a log that cannot be read is given up after some tries. */
  conclude(): void {
    if (this.#concluding) return;
    this.#concluding = true;
    for (const capture of this.#containers.values()) capture.conclude();
  }

  /** Resolves when everything that was read by now is stored. */
  async storeHeld(): Promise<void> {
    await Promise.all([...this.#containers.values()].map(async (capture) => await capture.storeHeld()));
  }

  /** Resolves when the log is settled, after `ms` if it is not by then. @throws the signal's reason. */
  async settledWithin(ms: number, signal: AbortSignal): Promise<void> {
    if (this.#settled) return;
    const early = new AbortController();
    const wake = (): void => early.abort();
    this.#waiting.add(wake);
    await sleep(ms, undefined, { signal: AbortSignal.any([signal, early.signal]) })
      .catch(() => signal.throwIfAborted())
      .finally(() => this.#waiting.delete(wake));
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
      for (const [container, { ended, lastError }] of this.#containers)
        if (!ended) this.#index.addGap(container, withError(reason, lastError));
      // Its worker has reported, so it ran, and nobody has said so.
      if (this.#containers.size === 0) this.#index.addGap(workingContainer(this.#attempt), reason);
      this.#settle();
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
    for (const name of this.#containers.keys()) {
      if (this.#gone) this.#note(name, 'gone');
      else if (over) this.#note(name, 'terminated');
    }
    if (!over || [...this.#containers.values()].some(({ ended }) => !ended)) return;
    this.#closed = true;
    this.#finish().catch((error: unknown) => this.#complain(error, 'a log was not finished'));
  }

  #note(name: LogContainer, state: ContainerState): void {
    const known = this.#containers.get(name);
    if (known !== undefined) {
      known.note(state);
      return;
    }
    const fresh = new ContainerCapture(name, state, { host: this.#host, deps: this.#deps });
    if (this.#concluding) fresh.conclude();
    this.#containers.set(name, fresh);
    this.#read(fresh).catch((error: unknown) => this.#complain(error, 'a log reader failed'));
  }

  async #read(capture: ContainerCapture): Promise<void> {
    await capture.run();
    this.#goForward();
    this.#advanceLoaded();
  }

  #goForward(): void {
    this.#progressAt = this.#deps.clock.monotonicMs();
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
    for (const wake of this.#waiting) wake();
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
