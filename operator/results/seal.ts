/** The one authoritative manifest of every attempt: what the worker wrote, else what the operator can say for it. */
import {
  logIndexKey,
  parseAttemptKey,
  runPrefix,
  sealedManifestKey,
  workerManifestKey,
} from '../../workers/contract/keys.ts';
import {
  type LogIndex,
  MAX_WORKER_MANIFEST,
  type SealedManifest,
  sealedManifest,
  type WorkerManifest,
  workerManifest,
} from '../../workers/contract/manifests.ts';
import { sha256Of } from './logs/chunk.ts';
import { type AttemptDocuments, type Document, serializeDocument } from './record.ts';
import { logHead, workingContainer } from './logs/logindex.ts';
import { loadStoredLog, readLogIndex, sortChunks } from './logs/resume.ts';
import type { AttemptRef, ResultsStore } from './types.ts';

/** Reads a manifest; undefined when it is missing, malformed or about somebody else. */
export function readWorkerManifest(
  bytes: Buffer | undefined,
  ref: Pick<AttemptRef, 'runUID' | 'stage' | 'index' | 'podUID'>,
): WorkerManifest | undefined {
  if (bytes === undefined) return undefined;
  try {
    const { data } = workerManifest.safeParse(JSON.parse(bytes.toString('utf8')));
    return data !== undefined && isAbout(data, ref) ? data : undefined;
  } catch {
    return undefined;
  }
}

function isAbout(
  head: Pick<WorkerManifest, 'run' | 'stage' | 'index' | 'podUID'>,
  ref: Pick<AttemptRef, 'runUID' | 'stage' | 'index' | 'podUID'>,
): boolean {
  return (
    head.run.uid === ref.runUID &&
    head.stage === ref.stage &&
    head.index === ref.index &&
    head.podUID === ref.podUID
  );
}

export interface SealContext {
  store: ResultsStore;
  /** `v1/…/` of the run. */
  prefix: string;
  /** The index of a log that was captured by this process, closed by now. */
  captured: LogIndex | undefined;
  /** Why the pod ended, as far as anybody knows. */
  ending: { reason: string; message: string } | undefined;
}

/** Collects (and where missing writes) what the bucket has about one attempt. @throws ResultsError */
export async function sealAttempt(
  ref: AttemptRef,
  context: SealContext,
  signal: AbortSignal,
): Promise<AttemptDocuments> {
  const logs = await finalLogs(ref, context, signal);
  return { ref, manifest: await finalManifest(ref, context, logs.value, signal), logs };
}

async function finalLogs(
  ref: AttemptRef,
  context: SealContext,
  signal: AbortSignal,
): Promise<Document<LogIndex>> {
  const { store, prefix } = context;
  const key = logIndexKey(ref);
  const { bytes: there, index } = await readLogIndex(store, prefix + key, signal);
  const isFinal = index !== undefined && (index.complete || index.gaps.length > 0);
  if (there !== undefined && isFinal && (context.captured === undefined || index.complete))
    return { key, sha256: sha256Of(there), value: index };
  const value = context.captured ?? (await lostLogs(ref, context, signal));
  const bytes = Buffer.from(JSON.stringify(value));
  if (there?.equals(bytes) !== true)
    await store.put(prefix + key, bytes, { contentType: 'application/json', signal });
  return { key, sha256: sha256Of(bytes), value };
}

/** The pod is gone and nobody is reading its log any more: what is stored is all there will be. */
async function lostLogs(ref: AttemptRef, context: SealContext, signal: AbortSignal): Promise<LogIndex> {
  const { index, chunks } = await loadStoredLog(context.store, context.prefix, ref, signal);
  // A pod that never got a node has no log; of any other one nobody knows whether it said anything more.
  const neverRan = index === undefined && chunks.length === 0 && ref.nodeName === undefined;
  const last = chunks.at(-1);
  const gap = {
    container: last?.container ?? workingContainer(ref),
    afterSeq: last?.seq ?? -1,
    ...(last === undefined ? {} : { from: last.t1 }),
    reason: 'PodGone: the pod was removed before its log was read to the end',
  };
  return {
    ...logHead(ref),
    capture: 'PodsLog',
    complete: neverRan,
    chunks: sortChunks(chunks),
    gaps: neverRan ? [] : [...(index?.gaps ?? []), gap],
  };
}

async function finalManifest(
  ref: AttemptRef,
  context: SealContext,
  logs: LogIndex,
  signal: AbortSignal,
): Promise<Document<WorkerManifest | SealedManifest>> {
  const { store, prefix } = context;
  const workerKey = workerManifestKey(ref);
  const bytes = await store.get(prefix + workerKey, { signal, limit: MAX_WORKER_MANIFEST });
  const worker = readWorkerManifest(bytes, ref);
  if (bytes !== undefined && worker !== undefined)
    return { key: workerKey, sha256: sha256Of(bytes), value: worker };
  const key = sealedManifestKey(ref);
  const ending =
    bytes === undefined
      ? (context.ending ?? { reason: 'PodGone', message: 'The pod was removed before it could report.' })
      : { reason: 'InvalidManifest', message: 'The worker left a manifest that is not one, or not its own.' };
  const lastTime = logs.chunks
    .map(({ t1 }) => t1)
    .toSorted()
    .at(-1);
  const value: SealedManifest = {
    kind: 'sealed',
    ...logHead(ref),
    complete: false,
    reason: ending.reason,
    message: ending.message.slice(0, 1024),
    lastByte: logs.chunks.reduce((sum, { rawLen }) => sum + rawLen, 0),
    ...(lastTime === undefined ? {} : { lastTime }),
  };
  const sealed = serializeDocument(value);
  if (
    (await store.put(prefix + key, sealed, {
      ifNoneMatch: true,
      contentType: 'application/json',
      signal,
    })) === 'written'
  )
    return { key, sha256: sha256Of(sealed), value };
  // Sealed before, perhaps by another operator that knew more: the first word stands.
  const earlier = await store.get(prefix + key, { signal });
  const parsed =
    earlier === undefined ? undefined : sealedManifest.safeParse(JSON.parse(earlier.toString('utf8'))).data;
  return earlier === undefined || parsed === undefined
    ? { key, sha256: sha256Of(sealed), value }
    : { key, sha256: sha256Of(earlier), value: parsed };
}

/** Attempts that left something in the bucket; their heads are read from whatever document they have. */
export async function findAttempts(
  store: ResultsStore,
  run: { cluster: string; namespace: string; uid: string },
  known: ReadonlySet<string>,
  kindOf: (stage: string) => AttemptRef['kind'] | undefined,
  signal: AbortSignal,
): Promise<AttemptRef[]> {
  const prefix = runPrefix({ ...run, runUID: run.uid });
  const found = new Map<string, AttemptRef>();
  for await (const { key } of store.list(prefix, { signal })) {
    const parsed = parseAttemptKey(key.slice(prefix.length));
    const kind = parsed === undefined ? undefined : kindOf(parsed.stage);
    if (parsed === undefined || kind === undefined || known.has(parsed.podUID) || found.has(parsed.podUID))
      continue;
    const { index: head } = await readLogIndex(store, prefix + logIndexKey(parsed), signal);
    found.set(parsed.podUID, {
      runUID: run.uid,
      run: head?.run.name ?? '',
      namespace: run.namespace,
      stage: parsed.stage,
      kind,
      index: parsed.index,
      attempt: head?.attempt ?? 0,
      podUID: parsed.podUID,
      podName: head?.podName ?? '',
      ...(head?.nodeName === undefined ? {} : { nodeName: head.nodeName }),
    });
  }
  return [...found.values()];
}
