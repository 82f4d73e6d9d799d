/** Which logs a run has, finished or not, and reading them chunk by chunk. */
import { chunkKey, logIndexKey, runPrefix } from '../../../workers/contract/keys.ts';
import { decodeFrames, type LogFrame } from '../../../workers/contract/logframes.ts';
import type { ChunkEntry, LogIndex } from '../../../workers/contract/manifests.ts';
import { stageKind } from '../../api/defaults.ts';
import type { PipelineRun } from '../../api/types.ts';
import type { DeepReadonly } from '../../kube/types.ts';
import { openChunk, sha256Of, ChunkError } from '../logs/chunk.ts';
import { findAttempts } from '../seal.ts';
import type { HeldBytes } from '../logs/containerlog.ts';
import { readLogIndex } from '../logs/resume.ts';
import type { PodsLogCapture } from '../logs/capture.ts';
import type { AttemptRef, ResultsStore } from '../types.ts';
import { readRecord } from '../commit.ts';
import type { LogPlaces } from './nologs.ts';

export interface LogFilter {
  stage?: string | undefined;
  index?: number | undefined;
  container?: string | undefined;
}

/** The log of one container of one attempt. */
export interface LogSource {
  index: LogIndex;
  container: string;
  chunks: ChunkEntry[];
  /** What the operator holds of a log that goes on. */
  held?: HeldBytes | undefined;
}

export interface LogLibrary {
  store: ResultsStore;
  cluster: string;
  capture: PodsLogCapture;
}

/** Every log of a run that fits; `live` while there may be more. @throws ResultsError; ChunkError for a forged index. */
export async function findLogs(
  library: LogLibrary,
  run: { namespace: string; uid: string; object: DeepReadonly<PipelineRun> | undefined },
  filter: LogFilter,
  signal: AbortSignal,
): Promise<{ sources: LogSource[]; live: boolean; places: LogPlaces }> {
  const prefix = runPrefix({ cluster: library.cluster, namespace: run.namespace, runUID: run.uid });
  const record = await readRecord(library.store, library.cluster, run, signal);
  const logs: { index: LogIndex; held?: ReadonlyMap<string, HeldBytes> }[] = [];
  const workers: { stage: string; index: number }[] = [];
  if (record === undefined) {
    for (const attempt of await liveAttempts(library, run, signal)) {
      workers.push(attempt);
      if (!fitsAttempt(attempt.stage, attempt.index, filter)) continue;
      const live = library.capture.live(attempt.podUID);
      if (live !== undefined) logs.push(live);
      else {
        const { index } = await readLogIndex(library.store, prefix + logIndexKey(attempt), signal);
        if (index !== undefined) logs.push({ index });
      }
    }
  } else {
    for (const stage of record.stages)
      for (const { index, logs: document } of stage.attempts) {
        if (document === undefined) continue;
        workers.push({ stage: stage.name, index });
        if (!fitsAttempt(stage.name, index, filter)) continue;
        logs.push({ index: await readIndex(library.store, prefix, document, signal) });
      }
  }
  const known = record?.stages ?? run.object?.spec.stages;
  const stages = new Set((known ?? []).map(({ name }) => name));
  // Of a run without object and record, those that have left something are what is known.
  for (const { stage } of workers) stages.add(stage);
  return {
    sources: logs.flatMap((log) => sourcesOf(log, filter)),
    live: record === undefined,
    places: { stages: [...stages], workers },
  };
}

function fitsAttempt(stage: string, index: number, filter: LogFilter): boolean {
  return (
    (filter.stage === undefined || filter.stage === stage) &&
    (filter.index === undefined || filter.index === index)
  );
}

async function liveAttempts(
  library: LogLibrary,
  run: { namespace: string; uid: string; object: DeepReadonly<PipelineRun> | undefined },
  signal: AbortSignal,
): Promise<AttemptRef[]> {
  const here = library.capture.attemptsOf(run.uid);
  const known = new Set(here.map(({ podUID }) => podUID));
  const kinds = new Map(run.object?.spec.stages.map((stage) => [stage.name, stageKind(stage)]));
  const identity = { cluster: library.cluster, namespace: run.namespace, uid: run.uid };
  return [
    ...here,
    ...(await findAttempts(library.store, identity, known, (name) => kinds.get(name), signal)),
  ];
}

async function readIndex(
  store: ResultsStore,
  prefix: string,
  logs: { key: string; sha256: string },
  signal: AbortSignal,
): Promise<LogIndex> {
  const { bytes, index } = await readLogIndex(store, prefix + logs.key, signal);
  if (bytes === undefined || index === undefined || sha256Of(bytes) !== logs.sha256)
    throw new ChunkError(`${logs.key} is not the index that the record names`);
  return index;
}

function sourcesOf(
  { index, held }: { index: LogIndex; held?: ReadonlyMap<string, HeldBytes> },
  filter: LogFilter,
): LogSource[] {
  const indexed = [...index.chunks, ...index.gaps].map(({ container }) => container);
  const containers = new Set([...indexed, ...(held?.keys() ?? [])]);
  return [...containers]
    .filter((container) => filter.container === undefined || filter.container === container)
    .map((container) => ({
      index,
      container,
      chunks: index.chunks.filter((chunk) => chunk.container === container),
      held: held?.get(container),
    }));
}

/** Offset of the end of what there is in the stream of the container. */
export function endOf({ chunks, held }: LogSource): number {
  const last = chunks.at(-1);
  const stored = last === undefined ? 0 : last.rawOff + last.rawLen;
  return held?.raw.reduce((end, { length }) => end + length, held.rawOff) ?? stored;
}

/** The frames from an offset on, each chunk decoded alone and checked. @throws ChunkError, ResultsError */
export async function* readFrames(
  library: LogLibrary,
  source: LogSource,
  from: number,
  signal: AbortSignal,
): AsyncGenerator<LogFrame, void, undefined> {
  const { run, stage, index, podUID } = source.index;
  const prefix = runPrefix({ cluster: library.cluster, namespace: run.namespace, runUID: run.uid });
  for (const entry of source.chunks) {
    if (entry.rawOff + entry.rawLen <= from) continue;
    const key = prefix + chunkKey({ stage, index, podUID }, entry.seq);
    const object = await library.store.get(key, { signal });
    if (object === undefined) throw new ChunkError(`${key} is missing`);
    yield* framesFrom(await openChunk(object, entry), from - entry.rawOff);
  }
  let at = source.held?.rawOff ?? 0;
  for (const raw of source.held?.raw ?? []) {
    if (at + raw.length > from) yield* framesFrom(raw, from - at);
    at += raw.length;
  }
}

/** What was shown before it was stored ends inside a chunk, between two frames. */
function framesFrom(raw: Buffer, from: number): Generator<LogFrame, void, undefined> {
  return decodeFrames(from <= 0 ? raw : raw.subarray(raw.indexOf(0x0a, from - 1) + 1));
}
