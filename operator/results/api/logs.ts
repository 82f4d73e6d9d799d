/** The logs of a run as one stream of entries; with `follow`, until the run has its record. */
import { isUtf8 } from 'node:buffer';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogEntry, LogLine } from '../../../workers/contract/resultsapi.ts';
import type { PipelineRun } from '../../api/types.ts';
import type { DeepReadonly } from '../../kube/types.ts';
import { ResultsApiError } from './errors.ts';
import { explainNoLogs } from './nologs.ts';
import { mergeFrames, type Tagged } from './merge.ts';
import { endOf, findLogs, type LogFilter, type LogLibrary, type LogSource, readFrames } from './sources.ts';

/** Logs that are merged at once, and bytes of decoded chunks, of which each holds one. */
const MAX_SOURCES = 256;
const MAX_DECODED_BYTES = 256 * 1024 * 1024;
/** A line longer than this is given out in parts. */
const MAX_LINE_BYTES = 1024 * 1024;
/** Between two looks at a run that is followed, in milliseconds. */
const FOLLOW_MS = 500;

export interface LogRequest {
  filter: LogFilter;
  follow: boolean;
}

/** A line, or a part of a very long one, as bytes. */
export interface AssembledLine {
  source: LogSource;
  time: string;
  bytes: Buffer;
  partial: boolean;
}

interface SourceState {
  /** Offset in the stream of the container up to which it was shown. */
  shown: number;
  parts: Buffer[];
  size: number;
}

export type LogItem =
  | { line: AssembledLine }
  | { gap: { source: LogSource; reason: string; from?: string | undefined } };

/** @throws ResultsApiError NoLogs, TooManyLogs; ChunkError; ResultsError. */
export async function* streamLogs(
  library: LogLibrary,
  find: () => { namespace: string; uid: string; object: DeepReadonly<PipelineRun> | undefined },
  request: LogRequest,
  signal: AbortSignal,
): AsyncGenerator<LogItem, void, undefined> {
  const states = new Map<string, SourceState>();
  for (let run = find(); ; run = find()) {
    const { sources, live, places } = await findLogs(library, run, request.filter, signal);
    const { stage } = request.filter;
    // Who follows waits for a log, but a stage that there is not will never have one.
    const mayCome = live && request.follow && (stage === undefined || places.stages.includes(stage));
    if (sources.length === 0 && !mayCome)
      throw new ResultsApiError('NoLogs', { detail: explainNoLogs(places, request.filter) });
    if (sources.length > MAX_SOURCES || decodedBytes(sources) > MAX_DECODED_BYTES)
      throw new ResultsApiError('TooManyLogs');
    const last = !live || !request.follow;
    yield* readRound(library, sources, states, last, signal);
    if (last) return;
    await sleep(FOLLOW_MS, undefined, { signal });
  }
}

function decodedBytes(sources: readonly LogSource[]): number {
  const largest = ({ chunks }: LogSource): number =>
    chunks.reduce((most, { rawLen }) => Math.max(most, rawLen), 0);
  return sources.reduce((sum, source) => sum + largest(source), 0);
}

async function* readRound(
  library: LogLibrary,
  sources: readonly LogSource[],
  states: Map<string, SourceState>,
  last: boolean,
  signal: AbortSignal,
): AsyncGenerator<LogItem, void, undefined> {
  const fresh = sources.map((source) => {
    const key = `${source.index.podUID}/${source.container}`;
    let state = states.get(key);
    if (state === undefined) states.set(key, (state = { shown: 0, parts: [], size: 0 }));
    return { source, state };
  });
  const streams = fresh.map(({ source, state }) => ({
    source: { source, state },
    frames: readFrames(library, source, state.shown, signal),
  }));
  for await (const tagged of mergeFrames(streams)) {
    const line = assemble(tagged);
    if (line !== undefined) yield { line };
  }
  for (const { source, state } of fresh) {
    state.shown = Math.max(state.shown, endOf(source));
    if (!last) continue;
    if (state.size > 0) yield { line: takeLine(source, state, source.chunks.at(-1)?.t1 ?? '', true) };
    for (const { container, reason, from } of source.index.gaps)
      if (container === source.container) yield { gap: { source, reason, from } };
  }
}

function assemble({
  source: { source, state },
  frame,
}: Tagged<{ source: LogSource; state: SourceState }>): AssembledLine | undefined {
  state.parts.push(frame.bytes);
  state.size += frame.bytes.length;
  if (frame.partial && state.size < MAX_LINE_BYTES) return undefined;
  return takeLine(source, state, frame.time, frame.partial);
}

function takeLine(source: LogSource, state: SourceState, time: string, partial: boolean): AssembledLine {
  const bytes = state.parts.length === 1 ? (state.parts[0] ?? Buffer.alloc(0)) : Buffer.concat(state.parts);
  state.parts = [];
  state.size = 0;
  return { source, time, bytes, partial };
}

/** An item as a line of the answer for programs. */
export function entryOfItem(item: LogItem): LogEntry {
  const { index, container } = 'line' in item ? item.line.source : item.gap.source;
  const place = { stage: index.stage, index: index.index, attempt: index.attempt, container };
  if ('gap' in item) {
    const { reason, from } = item.gap;
    return { gap: { ...place, reason, ...(from === undefined ? {} : { from }) } };
  }
  const { time, bytes, partial } = item.line;
  const entry: LogLine = { time, ...place };
  if (isUtf8(bytes)) entry.text = bytes.toString('utf8');
  else entry.base64 = bytes.toString('base64');
  if (partial) entry.partial = true;
  return entry;
}
