/** Fills the index from the bucket: every marker stands for one record. */
import { z } from 'zod';
import { parseRecord } from '../commit.ts';
import { Limiter } from '../../kube/limiter.ts';
import type { ResultsStore } from '../types.ts';
import type { ResultsIndex } from './database.ts';

const marker = z.object({ key: z.string() });

const UID_OF_MARKER = /-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/**
 * Adds every record that the index does not have. Records that are gone or unreadable are left out and reported.
 * @returns number of records added. @throws ResultsError when the store refuses.
 */
export async function rebuildIndex(
  index: ResultsIndex,
  source: { store: ResultsStore; cluster: string; onBad(key: string, error: unknown): void },
  signal: AbortSignal,
): Promise<number> {
  const limiter = new Limiter(16);
  let added = 0;
  let pending: Promise<void>[] = [];
  for await (const { key } of source.store.list(`commits/${source.cluster}/`, { signal })) {
    const uid = UID_OF_MARKER.exec(key)?.[1];
    if (uid !== undefined && index.has(uid)) continue;
    pending.push(
      limiter.run(async () => {
        if (await addRecord(index, source, key, signal)) added += 1;
      }, signal),
    );
    if (pending.length < 256) continue;
    await Promise.all(pending);
    pending = [];
  }
  await Promise.all(pending);
  return added;
}

async function addRecord(
  index: ResultsIndex,
  source: { store: ResultsStore; onBad(key: string, error: unknown): void },
  key: string,
  signal: AbortSignal,
): Promise<boolean> {
  const bytes = await source.store.get(key, { signal });
  if (bytes === undefined) return false;
  let target: string;
  try {
    target = marker.parse(JSON.parse(bytes.toString('utf8'))).key;
  } catch (error) {
    source.onBad(key, error);
    return false;
  }
  const object = await source.store.get(target, { signal });
  if (object === undefined) {
    source.onBad(target, new Error('there is a marker for it, and no record'));
    return false;
  }
  try {
    index.upsert(parseRecord(target, object));
    return true;
  } catch (error) {
    source.onBad(target, error);
    return false;
  }
}
