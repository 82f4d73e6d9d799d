/** Commits a run: all logs and manifests, then the record, then the marker, then the index. Every step can be repeated. */
import { stageKind } from '../api/defaults.ts';
import { commitMarker, RUN_RECORD, runPrefix } from '../../workers/contract/keys.ts';
import { type RunRecord, runRecord } from '../../workers/contract/manifests.ts';
import { Limiter } from '../kube/limiter.ts';
import { ResultsError } from './errors.ts';
import type { PodsLogCapture } from './logs/capture.ts';
import { endingOf, isOver } from './podview.ts';
import { type AttemptDocuments, buildRecord, serializeDocument } from './record.ts';
import { findAttempts, sealAttempt } from './seal.ts';
import type { AttemptRef, CommitInput, LogBounds, ResultsStore } from './types.ts';

export interface CommitDeps {
  store: ResultsStore;
  cluster: string;
  capture: PodsLogCapture;
  bounds: LogBounds;
}

/** The record of a run, if it has one. @throws ResultsError also for a record that cannot be read. */
export async function readRecord(
  store: ResultsStore,
  cluster: string,
  run: { namespace: string; uid: string },
  signal: AbortSignal,
): Promise<RunRecord | undefined> {
  const key = runPrefix({ cluster, namespace: run.namespace, runUID: run.uid }) + RUN_RECORD;
  const bytes = await store.get(key, { signal });
  return bytes === undefined ? undefined : parseRecord(key, bytes);
}

export function parseRecord(key: string, bytes: Buffer): RunRecord {
  try {
    return runRecord.parse(JSON.parse(bytes.toString('utf8')));
  } catch (error) {
    throw new ResultsError(`${key} in the results bucket is not a run record`, {
      code: 'BadRecord',
      transient: false,
      cause: error,
    });
  }
}

/** Says in one small object that a record exists: what a fresh index looks for. */
async function writeMarker(store: ResultsStore, record: RunRecord, signal: AbortSignal): Promise<void> {
  const { cluster, run, outcome } = record;
  const key = runPrefix({ cluster, namespace: run.namespace, runUID: run.uid }) + RUN_RECORD;
  const bytes = serializeDocument({ key });
  await store.put(commitMarker(cluster, outcome.time, run.uid), bytes, {
    contentType: 'application/json',
    signal,
  });
}

/** Makes the record durable and returns it. @throws ResultsError */
export async function commitRecord(
  input: CommitInput,
  deps: CommitDeps,
  signal: AbortSignal,
): Promise<RunRecord> {
  const { store, cluster } = deps;
  const { metadata } = input.run;
  const identity = { namespace: metadata.namespace, uid: metadata.uid };
  const existing = await readRecord(store, cluster, identity, signal);
  if (existing !== undefined) {
    await writeMarker(store, existing, signal);
    return existing;
  }
  const attempts = await allAttempts(input, deps, signal);
  // Not one after the other behind the limiter: logs that cannot be read are all given up at the same time.
  const since = deps.capture.conclude(identity.uid);
  const limiter = new Limiter(16);
  const documents = await Promise.all(
    attempts.map((ref) => limiter.run(() => seal(ref, since, input, deps, signal), signal)),
  );
  const { run, namespaceUID, nodes, discrepancies } = input;
  const record = buildRecord({ cluster, run, namespaceUID, attempts: documents, nodes, discrepancies });
  const key = runPrefix({ cluster, namespace: identity.namespace, runUID: identity.uid }) + RUN_RECORD;
  const bytes = serializeDocument(record);
  const written = await store.put(key, bytes, { ifNoneMatch: true, contentType: 'application/json', signal });
  const durable = written === 'written' ? record : await readRecord(store, cluster, identity, signal);
  if (durable === undefined)
    throw new ResultsError(`${key} was there and is not`, { code: 'BadRecord', transient: true });
  await writeMarker(store, durable, signal);
  return durable;
}

/** Of a pod that was told to end, and that its run has stopped waiting for. */
const UNENDED = { reason: 'NotEnded', message: 'The pod had not ended when its run did.' };

async function allAttempts(input: CommitInput, deps: CommitDeps, signal: AbortSignal): Promise<AttemptRef[]> {
  const { metadata, spec } = input.run;
  const refs = new Map(input.attempts.map((ref) => [ref.podUID, ref]));
  for (const ref of deps.capture.attemptsOf(metadata.uid))
    if (!refs.has(ref.podUID)) refs.set(ref.podUID, ref);
  const kinds = new Map(spec.stages.map((stage) => [stage.name, stageKind(stage)]));
  const run = { cluster: deps.cluster, namespace: metadata.namespace, uid: metadata.uid };
  const known = new Set(refs.keys());
  const found = await findAttempts(deps.store, run, known, (stage) => kinds.get(stage), signal);
  return [...refs.values(), ...found];
}

async function seal(
  ref: AttemptRef,
  since: number,
  input: CommitInput,
  deps: CommitDeps,
  signal: AbortSignal,
): Promise<AttemptDocuments> {
  const stage = input.run.status?.stages?.find(({ name }) => name === ref.stage);
  const captured = await deps.capture.finish(ref.podUID, { since, ...deps.bounds }, signal);
  const pod = deps.capture.lastSeen(ref.podUID);
  const said =
    stage?.reason === undefined || stage.attempt !== ref.attempt || stage.state === 'Succeeded'
      ? undefined
      : { reason: stage.reason, message: stage.message ?? 'The stage ended this way.' };
  const unended = pod !== undefined && input.attempts.includes(ref) && !isOver(pod) ? UNENDED : undefined;
  const ending = (pod === undefined ? undefined : endingOf(pod)) ?? unended ?? said;
  const prefix = runPrefix({ cluster: deps.cluster, namespace: ref.namespace, runUID: ref.runUID });
  return sealAttempt(ref, { store: deps.store, prefix, captured, ending }, signal);
}
