/**
 * Keys in the results bucket, and who may write and read which. Every key of a run is
 * `v1/<cluster>/<namespace>/<runUID>/<relative key>`; workers only ever name relative keys.
 */

export interface RunKeys {
  cluster: string;
  namespace: string;
  runUID: string;
}

/** One worker attempt: the pod UID is its identity; the restart is 0 because pods are never restarted in place. */
export interface AttemptKey {
  stage: string;
  index: number;
  podUID: string;
}

export function runPrefix({ cluster, namespace, runUID }: RunKeys): string {
  return `v1/${cluster}/${namespace}/${runUID}/`;
}

/** Marker that lets a fresh index find new records by listing from a time on: `commits/<RFC 3339 time>-<uid>`. */
export function commitMarker(cluster: string, completionTime: string, runUID: string): string {
  return `commits/${cluster}/${completionTime}-${runUID}`;
}

export const RUN_RECORD = 'run.json';
export const NODES_RECORD = 'nodes.json';

export function attemptPrefix({ stage, index, podUID }: AttemptKey): string {
  return `${stage}/${index}/${podUID}.0/`;
}
export const workerManifestKey = (attempt: AttemptKey): string => `${attemptPrefix(attempt)}worker.json`;
export const sealedManifestKey = (attempt: AttemptKey): string => `${attemptPrefix(attempt)}sealed.json`;
export const outputsKey = (attempt: AttemptKey): string => `${attemptPrefix(attempt)}outputs.json`;
/** Index of the log chunks that the operator captured for this attempt. */
export const logIndexKey = (attempt: AttemptKey): string => `${attemptPrefix(attempt)}logs.json`;
export const chunkKey = (attempt: AttemptKey, seq: number): string =>
  `${attemptPrefix(attempt)}c/${String(seq).padStart(8, '0')}.zst`;

export const planPrefix = (stage: string): string => `${stage}/plan/`;
export const planIndexKey = (stage: string): string => `${stage}/plan/index.json`;
/** What a dry run found out. */
export const planReportKey = (stage: string): string => `${stage}/plan/report.json`;
export const planShardKey = (stage: string, shard: number): string => `${stage}/plan/${shard}.zst`;
export const ledgerPrefix = (stage: string): string => `${stage}/ledger/`;
export const shardLedgerPrefix = (stage: string, shard: number): string => `${stage}/ledger/${shard}/`;
export const ledgerSegmentKey = (stage: string, shard: number, podUID: string, seq: number): string =>
  `${stage}/ledger/${shard}/${podUID}-${String(seq).padStart(6, '0')}.zst`;
/** What failed of a shard, in words of the pod that closed it. */
export const deadLettersKey = (stage: string, shard: number, podUID: string): string =>
  `${stage}/ledger/${shard}/${podUID}-failed.zst`;
export const ledgerDoneKey = (stage: string, shard: number): string => `${stage}/ledger/${shard}/done.json`;

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const LABEL = '[a-z0-9](?:[-a-z0-9]*[a-z0-9])?';
const ATTEMPT = new RegExp(`^(${LABEL})/(\\d{1,9})/(${UUID})\\.0/(.+)$`);
const PLAN = new RegExp(`^(${LABEL})/plan/(?:\\d{1,9}\\.zst|(?:index|report)\\.json)$`);
const LEDGER = new RegExp(`^(${LABEL})/ledger/\\d{1,9}/(?:(${UUID})-(?:\\d{6,9}|failed)\\.zst|done\\.json)$`);

const UID = new RegExp(`^${UUID}$`);

/** Whether a text is the UID of an object, as a run has one. */
export const isUID = (text: string): boolean => UID.test(text);

/** Whether the key of a ledger is that of a segment. */
export const isLedgerSegment = (relative: string): boolean => /-\d{6,9}\.zst$/.test(relative);

/** The attempt that a relative key belongs to, and the rest of the key; undefined for any other key. */
export function parseAttemptKey(relative: string): (AttemptKey & { rest: string }) | undefined {
  const [, stage, index, podUID, rest] = ATTEMPT.exec(relative) ?? [];
  if (stage === undefined || index === undefined || podUID === undefined || rest === undefined)
    return undefined;
  return { stage, index: Number(index), podUID, rest };
}

/** Whether a relative key is one of a copy stage's plan or ledger. */
export function isCopyKey(stage: string, relative: string): boolean {
  return (PLAN.exec(relative) ?? LEDGER.exec(relative))?.[1] === stage;
}

/** Who asks for a grant: established from the token, never from the request. */
export interface Caller extends AttemptKey {
  /** Kind of the caller's stage; only a copy stage has a plan and a ledger. */
  copy: boolean;
  dependsOn: readonly string[];
}

/** Whether the caller may write this relative key. */
export function mayPut(caller: Caller, relative: string): boolean {
  if (relative === workerManifestKey(caller)) return true;
  if (!caller.copy) return relative === outputsKey(caller);
  if (PLAN.test(relative)) return caller.index === 0 && relative.startsWith(`${caller.stage}/`);
  const [, stage, podUID] = LEDGER.exec(relative) ?? [];
  return stage === caller.stage && (podUID === undefined || podUID === caller.podUID);
}

/** Whether the caller may read this relative key: plan, ledger and outputs of its own stage and of those it depends on. */
export function mayGet(caller: Caller, relative: string): boolean {
  const readable = (stage: string | undefined): boolean =>
    stage !== undefined && (stage === caller.stage || caller.dependsOn.includes(stage));
  const attempt = parseAttemptKey(relative);
  if (attempt) return attempt.rest === 'outputs.json' && readable(attempt.stage);
  return readable((PLAN.exec(relative) ?? LEDGER.exec(relative) ?? [])[1]);
}
