/** Stores chunks. A key never gets a second content, and what is stored is what the entry says. */
import { setTimeout as sleep } from 'node:timers/promises';
import { chunkKey, type AttemptKey } from '../../../workers/contract/keys.ts';
import { chunkSequence, type LogContainer } from '../../../workers/contract/logframes.ts';
import type { ChunkEntry } from '../../../workers/contract/manifests.ts';
import { compressChunk, inspectChunk, sha256Of } from './chunk.ts';
import { Limiter } from '../../kube/limiter.ts';
import type { ResultsStore } from '../types.ts';

/** Where the next chunk of a container goes. */
export interface ChunkPlace {
  container: LogContainer;
  nth: number;
  rawOff: number;
  line0: number;
}

/**
 * The key was taken by other bytes: those of a predecessor whose write came late. They stay; what is to come after
 * them must be found out from the store again.
 */
export class ForeignChunkError extends Error {
  override readonly name = 'ForeignChunkError';
  readonly code = 'ForeignChunk';
}

/** The entry of a chunk that is in the store as `object`. */
export function entryOf(place: ChunkPlace, raw: Buffer, object: Uint8Array): ChunkEntry {
  const { lines, t0, t1 } = inspectChunk(raw);
  return {
    seq: chunkSequence(place.container, place.nth),
    container: place.container,
    rawOff: place.rawOff,
    rawLen: raw.length,
    zLen: object.length,
    sha256: sha256Of(object),
    lines,
    line0: place.line0,
    t0,
    t1,
  };
}

const MAX_DELAY_MS = 10_000;

/** Shared by all workers: bounds uploads and the bytes that wait for them. */
export class ChunkSink {
  readonly #store: ResultsStore;
  readonly #uploads: Limiter;
  readonly #budget: number;
  #held = 0;

  constructor(store: ResultsStore, limits: { uploads: number; bytes: number }) {
    this.#store = store;
    this.#uploads = new Limiter(limits.uploads);
    this.#budget = limits.bytes;
  }

  /** Readers say how many bytes they hold more or (negative) less. */
  hold(bytes: number): void {
    this.#held += bytes;
  }

  /** Whether readers should stop until their own bytes are stored. */
  get overloaded(): boolean {
    return this.#held > this.#budget;
  }

  /** Tries until the store takes the chunk. @throws ForeignChunkError, or the signal's reason. */
  async put(
    prefix: string,
    attempt: AttemptKey,
    place: ChunkPlace,
    raw: Buffer,
    signal: AbortSignal,
  ): Promise<ChunkEntry> {
    const object = await compressChunk(raw);
    const key = prefix + chunkKey(attempt, chunkSequence(place.container, place.nth));
    for (let failures = 0; ; failures += 1) {
      try {
        return await this.#uploads.run(() => this.#putOnce(key, place, raw, object, signal), signal);
      } catch (error) {
        if (signal.aborted || error instanceof ForeignChunkError) throw error;
        const ceiling = Math.min(MAX_DELAY_MS, 200 * 2 ** Math.min(failures, 10));
        await sleep(ceiling * (0.5 + Math.random() / 2), undefined, { signal });
      }
    }
  }

  async #putOnce(
    key: string,
    place: ChunkPlace,
    raw: Buffer,
    object: Buffer,
    signal: AbortSignal,
  ): Promise<ChunkEntry> {
    const options = { ifNoneMatch: true, contentType: 'application/zstd', signal };
    if ((await this.#store.put(key, object, options)) === 'exists') {
      // Mostly our own write whose answer was lost.
      const there = await this.#store.get(key, { signal });
      if (there?.equals(object) !== true)
        throw new ForeignChunkError('a chunk of that number is stored already');
    }
    return entryOf(place, raw, object);
  }
}
