/** `logs.json` of one attempt: what is stored of its log, what is missing, and when it is worth writing that down. */
import { logIndexKey } from '../../../workers/contract/keys.ts';
import type { LogContainer } from '../../../workers/contract/logframes.ts';
import type { ChunkEntry, LogGap, LogIndex } from '../../../workers/contract/manifests.ts';
import { sortChunks, type StoredLog } from './resume.ts';
import type { AttemptRef, ResultsStore } from '../types.ts';

/** The index is written again after so many chunks, or when the last writing is so long ago … */
const INDEX_EVERY_CHUNKS = 64;
const INDEX_EVERY_MS = 60_000;
/** … and this part of the chunks is new: a large index is not written for one chunk more. */
const INDEX_SHARE = 128;

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

/** The container that does the work of an attempt: what is missing is missing of its log, where none was ever seen. */
export function workingContainer({ kind }: Pick<AttemptRef, 'kind'>): LogContainer {
  return kind === 'copy' ? 'copy' : 'main';
}

export class AttemptIndex {
  readonly #store: ResultsStore;
  readonly #prefix: string;
  #chunks: ChunkEntry[] = [];
  #gaps: LogGap[] = [];
  #written = { chunks: 0, at: 0 };
  /** Whether the bucket has an index at all. */
  #exists = false;

  constructor(store: ResultsStore, prefix: string) {
    this.#store = store;
    this.#prefix = prefix;
  }

  get chunks(): readonly ChunkEntry[] {
    return this.#chunks;
  }

  /** Goes on from what the bucket has. */
  load({ chunks, index }: StoredLog): void {
    this.#chunks = chunks;
    this.#exists = index !== undefined;
  }

  /** The gaps of a log that is final in the bucket. */
  loadGaps({ index }: StoredLog): void {
    this.#gaps = index?.gaps ?? [];
  }

  /** What the bucket has of one container, where that is not what was known here. */
  reload(container: LogContainer, { chunks }: StoredLog): void {
    const others = this.#chunks.filter((chunk) => chunk.container !== container);
    this.#chunks = [...others, ...chunks.filter((chunk) => chunk.container === container)];
  }

  /** True once: before the first chunk an index says that there will be a log. */
  takeFirst(): boolean {
    const first = !this.#exists;
    this.#exists = true;
    return first;
  }

  /** A chunk was stored, at that monotonic millisecond. Answers whether the index is to be written again. */
  add(entry: ChunkEntry, at: number): boolean {
    this.#chunks.push(entry);
    const fresh = this.#chunks.length - this.#written.chunks;
    const due =
      fresh >= this.#chunks.length / INDEX_SHARE &&
      (fresh >= INDEX_EVERY_CHUNKS || at - this.#written.at >= INDEX_EVERY_MS);
    if (due) {
      this.#written = { chunks: this.#chunks.length, at };
      this.#exists = true;
    }
    return due;
  }

  addGap(container: LogContainer, reason: string): void {
    const last = this.#chunks.findLast((chunk) => chunk.container === container);
    this.#gaps.push({
      container,
      afterSeq: last?.seq ?? -1,
      ...(last === undefined ? {} : { from: last.t1 }),
      reason,
    });
  }

  /** The document; a log is complete when it has ended and nothing of it is missing. */
  toDocument(attempt: AttemptRef, ended: boolean): LogIndex {
    return {
      ...logHead(attempt),
      capture: 'PodsLog',
      complete: ended && this.#gaps.length === 0,
      chunks: sortChunks(this.#chunks),
      gaps: this.#gaps,
    };
  }

  /** @throws ResultsError when the store does not take it. */
  async write(attempt: AttemptRef, ended: boolean, signal: AbortSignal): Promise<void> {
    const bytes = Buffer.from(JSON.stringify(this.toDocument(attempt, ended)));
    const contentType = 'application/json';
    await this.#store.put(this.#prefix + logIndexKey(attempt), bytes, { contentType, signal });
  }
}
