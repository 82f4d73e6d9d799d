/** Plan and ledger of a copy stage, for those who want to check it again. */
import { isCopyKey, ledgerPrefix, planPrefix, runPrefix } from '../../../workers/contract/keys.ts';
import type { LogLibrary } from './sources.ts';
import { ResultsApiError } from './errors.ts';

type RunPlace = { readonly namespace: string; readonly uid: string };

/** One line of JSON per object, in key order; as many as there are, a page of the store's at a time. */
export async function* listLedger(
  { store, cluster }: LogLibrary,
  run: RunPlace,
  stage: string,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  const prefix = prefixOf(cluster, run);
  for (const part of [planPrefix(stage), ledgerPrefix(stage)]) {
    for await (const { key, size } of store.list(prefix + part, { signal })) {
      const relative = key.slice(prefix.length);
      if (isCopyKey(stage, relative)) yield `${JSON.stringify({ key: relative, size })}\n`;
    }
  }
}

/** @throws ResultsApiError for a key that is none of the stage's, or that does not exist. */
export async function readLedgerObject(
  { store, cluster }: LogLibrary,
  run: RunPlace,
  { stage, key }: { readonly stage: string; readonly key: string },
  signal: AbortSignal,
): Promise<Buffer> {
  // Nothing else of the bucket is read here, whatever the key says.
  if (!isCopyKey(stage, key)) throw new ResultsApiError('NoLedger');
  const bytes = await store.get(prefixOf(cluster, run) + key, { signal });
  if (bytes === undefined) throw new ResultsApiError('NoLedger');
  return bytes;
}

function prefixOf(cluster: string, { namespace, uid }: RunPlace): string {
  return runPrefix({ cluster, namespace, runUID: uid });
}
