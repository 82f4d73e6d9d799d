/** Presigned URLs: what a worker may write and read, and what is there already. */
import {
  type Caller,
  ledgerPrefix,
  mayGet,
  mayPut,
  outputsKey,
  parseAttemptKey,
  planPrefix,
  runPrefix,
} from '../../workers/contract/keys.ts';
import type { GetGrant, GrantReply, GrantRequest, PutGrant } from '../../workers/contract/workerapi.ts';
import type { PipelineRun } from '../api/types.ts';
import type { DeepReadonly } from '../kube/types.ts';
import type { ResultsStore } from '../results/types.ts';
import { WorkerApiError } from './errors.ts';
import type { WorkerApiDeps, WorkerCaller } from './types.ts';

/** Most keys that one answer lists. */
const MAX_LISTED = 100_000;

type GrantDeps = Pick<WorkerApiDeps, 'store' | 'cluster' | 'run' | 'clock'>;

/** @throws WorkerApiError NotGranted naming the key; ResultsError when the store refuses. */
export async function makeGrants(
  request: GrantRequest,
  caller: WorkerCaller,
  deps: GrantDeps,
  signal: AbortSignal,
): Promise<GrantReply> {
  const { store } = deps;
  const prefix = runPrefix({ cluster: deps.cluster, namespace: caller.namespace, runUID: caller.runUID });
  const who: Caller = { ...caller, copy: caller.kind === 'copy' };
  const run = deps.run(caller.runUID);
  for (const key of request.put ?? []) if (!mayPut(who, key)) refuse(key);
  for (const key of request.get ?? []) if (!mayGet(who, key) || !isAdmitted(key, run)) refuse(key);
  for (const stage of request.list ?? [])
    if (stage !== caller.stage && !caller.dependsOn.includes(stage)) refuse(`${stage}/`);
  let expiresAt = Number.POSITIVE_INFINITY;
  const sign = async (key: string, size?: number): Promise<GetGrant> => {
    const signed = await store.presignGet(prefix + key, { signal });
    expiresAt = Math.min(expiresAt, signed.expiresAt.getTime());
    return { key, url: signed.url, ...(size === undefined ? {} : { size }) };
  };
  const put: PutGrant[] = [];
  for (const key of request.put ?? []) {
    const signed = await store.presignPut(prefix + key, { signal });
    expiresAt = Math.min(expiresAt, signed.expiresAt.getTime());
    put.push({ key, url: signed.url, headers: { ...signed.headers } });
  }
  const get: GetGrant[] = [];
  for (const key of request.get ?? []) get.push(await sign(key));
  const existing: GetGrant[] = [];
  for (const stage of request.list ?? [])
    for await (const { key, size } of existingKeys(store, prefix, stage, run, signal)) {
      existing.push(await sign(key, size));
      if (existing.length >= MAX_LISTED)
        throw new WorkerApiError('TooLarge', { detail: 'There are too many keys.' });
    }
  // Without any URL there is none that could die; the worker still gets a time it can compare with.
  const end = Number.isFinite(expiresAt) ? expiresAt : deps.clock.now().getTime();
  return { put, get, existing, expiresAt: new Date(end).toISOString() };
}

function refuse(key: string): never {
  throw new WorkerApiError('NotGranted', { detail: `Key: ${JSON.stringify(key.slice(0, 200))}` });
}

/** Plan and ledger are for everyone who may read them; outputs only once their pod was admitted. */
function isAdmitted(key: string, run: DeepReadonly<PipelineRun> | undefined): boolean {
  const attempt = parseAttemptKey(key);
  if (attempt === undefined) return true;
  const stage = run?.status?.stages?.find(({ name }) => name === attempt.stage);
  return stage?.admitted === attempt.podUID;
}

async function* existingKeys(
  store: ResultsStore,
  prefix: string,
  stage: string,
  run: DeepReadonly<PipelineRun> | undefined,
  signal: AbortSignal,
): AsyncGenerator<{ key: string; size: number }, void, undefined> {
  for (const part of [planPrefix(stage), ledgerPrefix(stage)])
    for await (const { key, size } of store.list(prefix + part, { signal }))
      yield { key: key.slice(prefix.length), size };
  const podUID = run?.status?.stages?.find(({ name }) => name === stage)?.admitted;
  if (podUID === undefined) return;
  for await (const { key, size } of store.list(`${prefix}${stage}/`, { signal })) {
    const attempt = parseAttemptKey(key.slice(prefix.length));
    if (attempt?.podUID === podUID && attempt.rest === 'outputs.json')
      yield { key: outputsKey(attempt), size };
  }
}
