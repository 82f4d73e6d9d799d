/**
 * `run.json`, as a pure function of the decided outcome and the manifests: two operators write equal bytes.
 */
import { stageKind } from '../api/defaults.ts';
import type { PipelineRun } from '../api/types.ts';
import type { DeepReadonly } from '../kube/types.ts';
import { lastWords, sumCopies } from '../../workers/contract/lastwords.ts';
import type {
  AttemptRecord,
  CopyResult,
  LogIndex,
  RunRecord,
  SealedManifest,
  WorkerManifest,
} from '../../workers/contract/manifests.ts';
import { maskSpec } from './maskspec.ts';
import type { AttemptRef } from './types.ts';

/** A document in the bucket: its key relative to the run, its digest, and what it says. */
export interface Document<T> {
  key: string;
  sha256: string;
  value: T;
}

/** Everything that is stored about one attempt. */
export interface AttemptDocuments {
  ref: AttemptRef;
  manifest: Document<WorkerManifest | SealedManifest>;
  logs: Document<LogIndex>;
}

export interface RecordInput {
  cluster: string;
  run: DeepReadonly<PipelineRun>;
  namespaceUID?: string | undefined;
  attempts: readonly AttemptDocuments[];
  nodes: { launched: number; nodeSeconds: number };
  discrepancies: readonly string[];
}

/** An object without its undefined members. */
function compact<T extends object>(value: T): T {
  for (const key of Object.keys(value))
    if (Reflect.get(value, key) === undefined) Reflect.deleteProperty(value, key);
  return value;
}

function attemptRecordOf({ ref, manifest, logs }: AttemptDocuments): AttemptRecord {
  const sum = (read: (chunk: LogIndex['chunks'][number]) => number): number =>
    logs.value.chunks.reduce((total, chunk) => total + read(chunk), 0);
  return compact({
    index: ref.index,
    attempt: ref.attempt,
    podUID: ref.podUID,
    podName: ref.podName,
    nodeName: ref.nodeName,
    manifest: { key: manifest.key, sha256: manifest.sha256, kind: manifest.value.kind },
    logs: {
      key: logs.key,
      sha256: logs.sha256,
      complete: logs.value.complete,
      rawBytes: sum((chunk) => chunk.rawLen),
      storedBytes: sum((chunk) => chunk.zLen),
      lines: sum((chunk) => chunk.lines),
    },
  });
}

function compareAttempts(a: AttemptDocuments, b: AttemptDocuments): number {
  const byPlace = a.ref.index - b.ref.index || a.ref.attempt - b.ref.attempt;
  return byPlace || (a.ref.podUID < b.ref.podUID ? -1 : Number(a.ref.podUID > b.ref.podUID));
}

function copyOf(attempts: readonly AttemptDocuments[]): CopyResult | undefined {
  const manifests = attempts.map(({ manifest }) => manifest.value);
  return sumCopies(lastWords(manifests.filter((manifest) => manifest.kind === 'worker')));
}

/** @throws TypeError for a run whose outcome is not decided. */
export function buildRecord(input: RecordInput): RunRecord {
  const { run, cluster } = input;
  const { metadata, spec, status } = run;
  if (status?.outcome === undefined)
    throw new TypeError(`the outcome of run ${metadata.name} is not decided`);
  const stages = spec.stages.map((stage) => {
    const known = status.stages?.find(({ name }) => name === stage.name);
    const attempts = input.attempts.filter(({ ref }) => ref.stage === stage.name).toSorted(compareAttempts);
    const admitted = attempts.find(({ ref }) => ref.podUID === known?.admitted)?.manifest.value;
    return compact({
      name: stage.name,
      kind: stageKind(stage),
      state: known?.state ?? 'Waiting',
      reason: known?.reason,
      message: known?.message,
      startTime: known?.startTime,
      completionTime: known?.completionTime,
      admitted: known?.admitted,
      copy: copyOf(attempts),
      outputs: admitted?.kind === 'worker' ? admitted.outputs : undefined,
      attempts: attempts.map(attemptRecordOf),
    });
  });
  return {
    version: 1,
    cluster,
    run: compact({
      uid: metadata.uid,
      name: metadata.name,
      namespace: metadata.namespace,
      namespaceUID: input.namespaceUID,
      pipeline: spec.pipeline ?? metadata.name,
    }),
    spec: maskSpec(spec),
    startTime: status.startTime ?? metadata.creationTimestamp,
    outcome: compact({ ...status.outcome }),
    stages,
    nodes: { launched: input.nodes.launched, nodeSeconds: input.nodes.nodeSeconds },
    discrepancies: input.discrepancies.toSorted(),
  };
}

/** Equal values give equal bytes: members are sorted by name, at every depth. */
export function serializeDocument(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(sortMembers(value), undefined, 1)}\n`);
}

function sortMembers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortMembers);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, member]) => [name, sortMembers(member)]));
}
