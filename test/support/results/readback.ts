/** Reads a stored log back, by its index alone, checking everything that the index says. */
import { openChunk } from '../../../operator/results/logs/chunk.ts';
import type { AttemptRef, ResultsStore } from '../../../operator/results/types.ts';
import { chunkKey, logIndexKey, runPrefix } from '../../../workers/contract/keys.ts';
import { decodeFrames } from '../../../workers/contract/logframes.ts';
import { type LogIndex, logIndex } from '../../../workers/contract/manifests.ts';

export interface ReadBack {
  index: LogIndex;
  /** Bytes of the container's log, as they were written. */
  bytes: Buffer;
  times: string[];
}

export async function readBack(
  store: ResultsStore,
  cluster: string,
  ref: AttemptRef,
  container: string,
): Promise<ReadBack> {
  const signal = AbortSignal.timeout(10_000);
  const prefix = runPrefix({ ...ref, cluster });
  const stored = await store.get(prefix + logIndexKey(ref), { signal });
  if (stored === undefined) throw new Error('there is no logs.json');
  const index = logIndex.parse(JSON.parse(stored.toString('utf8')));
  const parts: Buffer[] = [];
  const times: string[] = [];
  let rawOff = 0;
  let line0 = 0;
  for (const entry of index.chunks.filter((chunk) => chunk.container === container)) {
    if (entry.rawOff !== rawOff || entry.line0 !== line0)
      throw new Error(`chunk ${entry.seq} is out of place`);
    const object = await store.get(prefix + chunkKey(ref, entry.seq), { signal });
    if (object === undefined) throw new Error(`chunk ${entry.seq} is missing`);
    if (object.length !== entry.zLen) throw new Error(`chunk ${entry.seq} has another size`);
    const raw = await openChunk(object, entry);
    for (const frame of decodeFrames(raw)) {
      parts.push(frame.bytes);
      if (!frame.partial) parts.push(Buffer.from('\n'));
      times.push(frame.time);
    }
    rawOff += entry.rawLen;
    line0 += entry.lines;
  }
  return { index, bytes: Buffer.concat(parts), times };
}
