/** Finds out from the bucket alone how far the log of an attempt is stored. */
import { chunkKey, logIndexKey, type AttemptKey } from '../../../workers/contract/keys.ts';
import {
  encodeFrame,
  type LogContainer,
  LOG_CONTAINERS,
  readSequence,
} from '../../../workers/contract/logframes.ts';
import {
  type ChunkEntry,
  type LogIndex,
  logIndex,
  MAX_LOG_INDEX,
} from '../../../workers/contract/manifests.ts';
import { ChunkError, inspectChunk, openChunk } from './chunk.ts';
import { entryOf } from './chunksink.ts';
import { RecentFrames } from './recent.ts';
import type { ResultsStore } from '../types.ts';

/** Where the log of one container goes on. */
export interface StoredPosition {
  nth: number;
  rawOff: number;
  line0: number;
  recent: RecentFrames;
  /** Time of the first line of the log; undefined when nothing of it is stored. */
  begun: string | undefined;
}

export interface StoredLog {
  /** `logs.json` as it is in the bucket; undefined when there is none, or none that can be read. */
  index: LogIndex | undefined;
  /** Every chunk that is stored, in the index or not; each container's in order. */
  chunks: ChunkEntry[];
}

/** Reads `logs.json`, which only the operator writes; one that cannot be read says nothing, and is made anew. */
export async function readLogIndex(
  store: ResultsStore,
  key: string,
  signal: AbortSignal,
): Promise<{ bytes: Buffer | undefined; index: LogIndex | undefined }> {
  const bytes = await store.get(key, { signal, limit: MAX_LOG_INDEX });
  return { bytes, index: parseLogIndex(bytes) };
}

function parseLogIndex(bytes: Buffer | undefined): LogIndex | undefined {
  if (bytes === undefined) return undefined;
  try {
    return logIndex.safeParse(JSON.parse(bytes.toString('utf8'))).data;
  } catch {
    return undefined;
  }
}

const CHUNK_NAME = /\/c\/(\d{8,})\.zst$/;

/** Reads the index and whatever chunks were stored after it was written. */
export async function loadStoredLog(
  store: ResultsStore,
  prefix: string,
  attempt: AttemptKey,
  signal: AbortSignal,
): Promise<StoredLog> {
  const { index } = await readLogIndex(store, prefix + logIndexKey(attempt), signal);
  const known = new Map(index?.chunks.map((chunk) => [chunk.seq, chunk]));
  const place = new Map<LogContainer, { nth: number; rawOff: number; line0: number }>();
  const chunks: ChunkEntry[] = [];
  const directory = prefix + chunkKey(attempt, 0).replace(/[^/]+$/, '');
  for await (const { key } of store.list(directory, { signal })) {
    const seq = Number(CHUNK_NAME.exec(key)?.[1] ?? Number.NaN);
    const where = readSequence(seq);
    if (where === undefined) continue;
    const at = place.get(where.container) ?? { nth: 0, rawOff: 0, line0: 0 };
    if (where.nth !== at.nth) throw new ChunkError(`the chunk before ${key} is missing`);
    const entry =
      known.get(seq) ?? (await readEntry(store, key, { container: where.container, ...at }, signal));
    chunks.push(entry);
    place.set(where.container, {
      nth: at.nth + 1,
      rawOff: at.rawOff + entry.rawLen,
      line0: at.line0 + entry.lines,
    });
  }
  return { index, chunks };
}

async function readEntry(
  store: ResultsStore,
  key: string,
  place: { container: LogContainer; nth: number; rawOff: number; line0: number },
  signal: AbortSignal,
): Promise<ChunkEntry> {
  const object = await store.get(key, { signal });
  if (object === undefined) throw new ChunkError(`${key} was listed and is not there`);
  return entryOf(place, await openChunk(object), object);
}

/** The position after the last stored chunk of a container, with the frames of its last seconds. */
export async function positionOf(
  store: ResultsStore,
  prefix: string,
  attempt: AttemptKey,
  chunks: readonly ChunkEntry[],
  container: LogContainer,
  signal: AbortSignal,
): Promise<StoredPosition> {
  const own = chunks.filter((chunk) => chunk.container === container);
  const last = own.at(-1);
  const recent = new RecentFrames();
  if (last === undefined) return { nth: 0, rawOff: 0, line0: 0, recent, begun: undefined };
  const from = new Date(Date.parse(`${last.t1.slice(0, 19)}Z`) - 1000).toISOString().slice(0, 19);
  // A chunk earlier than the window may still hold frames of it when two streams were swapped: one more is read.
  let first = own.length - 1;
  while (first > 0 && (own[first]?.t0 ?? '') >= from) first -= 1;
  first = Math.max(0, first - 1);
  for (const entry of own.slice(first)) {
    const object = await store.get(prefix + chunkKey(attempt, entry.seq), { signal });
    if (object === undefined) throw new ChunkError(`chunk ${entry.seq} of the index is not in the store`);
    for (const frame of inspectChunk(await openChunk(object, entry)).frames)
      recent.add(frame.time, encodeFrame(frame));
  }
  return {
    nth: own.length,
    rawOff: last.rawOff + last.rawLen,
    line0: last.line0 + last.lines,
    recent,
    begun: own[0]?.t0,
  };
}

/** Chunks of one container after the other, each container's in order. */
export function sortChunks(chunks: readonly ChunkEntry[]): ChunkEntry[] {
  const column = (name: string): number => LOG_CONTAINERS.findIndex((known) => known === name);
  return chunks.toSorted((a, b) => column(a.container) - column(b.container) || a.seq - b.seq);
}
