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
import { CallRefused } from './errors.ts';
import type { WorkerApiDeps, WorkerCaller } from './types.ts';

/** Keys on a page of a listing, and most keys of one that is asked for whole. */
const PAGE = 5_000;
const MAX_LISTED = 100_000;

type GrantDeps = Pick<WorkerApiDeps, 'store' | 'cluster' | 'run' | 'clock'>;

/** @throws CallRefused NotGranted naming the key; ResultsError when the store refuses. */
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
  let more: string | undefined;
  for await (const { key, size } of existingKeys(store, prefix, request, run, signal)) {
    if (request.after !== undefined && existing.length >= PAGE) {
      more = existing.at(-1)?.key;
      break;
    }
    if (existing.length >= MAX_LISTED)
      throw new CallRefused('TooLarge', { detail: 'There are too many keys.' });
    existing.push(await sign(key, size));
  }
  // Without any URL there is none that could die; the worker still gets a time it can compare with.
  const end = Number.isFinite(expiresAt) ? expiresAt : deps.clock.now().getTime();
  const next = more === undefined ? {} : { more };
  return { put, get, existing, ...next, expiresAt: new Date(end).toISOString() };
}

function refuse(key: string): never {
  throw new CallRefused('NotGranted', { detail: `Key: ${JSON.stringify(key.slice(0, 200))}` });
}

/** Plan and ledger are for everyone who may read them; outputs only once their pod was admitted. */
function isAdmitted(key: string, run: DeepReadonly<PipelineRun> | undefined): boolean {
  const attempt = parseAttemptKey(key);
  if (attempt === undefined) return true;
  const stage = run?.status?.stages?.find(({ name }) => name === attempt.stage);
  return stage?.admitted === attempt.podUID;
}

/** In the order of the stages asked for, of each the plan, the ledger, and the outputs of the pod that was admitted. */
async function* existingKeys(
  store: ResultsStore,
  prefix: string,
  { list = [], after = '' }: GrantRequest,
  run: DeepReadonly<PipelineRun> | undefined,
  signal: AbortSignal,
): AsyncGenerator<{ key: string; size: number }, void, undefined> {
  const parts = list.flatMap((stage) => [
    { stage, below: planPrefix(stage), outputs: false },
    { stage, below: ledgerPrefix(stage), outputs: false },
    { stage, below: `${stage}/`, outputs: true },
  ]);
  // The first part that the key fits is the one it is of: outputs are neither in a plan nor in a ledger.
  const first = after === '' ? 0 : parts.findIndex(({ below }) => after.startsWith(below));
  if (first < 0) refuse(after);
  for (const [place, { stage, below, outputs }] of parts.slice(first).entries()) {
    const podUID = run?.status?.stages?.find(({ name }) => name === stage)?.admitted;
    if (outputs && podUID === undefined) continue;
    const from = place === 0 && after !== '' ? { startAfter: prefix + after } : {};
    for await (const { key, size } of store.list(prefix + below, { signal, ...from })) {
      const relative = key.slice(prefix.length);
      if (!outputs || isOutputsOf(relative, podUID)) yield { key: relative, size };
    }
  }
}

function isOutputsOf(key: string, podUID: string | undefined): boolean {
  const attempt = parseAttemptKey(key);
  return attempt !== undefined && attempt.podUID === podUID && key === outputsKey(attempt);
}
