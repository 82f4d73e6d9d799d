import { writeFile } from 'node:fs/promises';
import { pino, type DestinationStream, type Logger } from 'pino';
import { prettifyError } from 'zod';
import { openWorkerApi, type WorkerApi } from '../api/client.ts';
import { copyStage, type CopyStage } from '../../operator/api/copystage.ts';
import { WORKER_SHARE, type PlanIndex } from '../contract/copyplan.ts';
import { PATHS, readEnvironment, type WorkerEnvironment } from '../contract/environment.ts';
import { EXIT } from '../contract/exitcodes.ts';
import { workerManifestKey } from '../contract/keys.ts';
import { formatTermination } from '../contract/termination.ts';
import type { RetryPolicy } from '../s3/retry.ts';
import { endOfError, endOfStage, makeManifest, type Ending } from './ending.ts';
import { GrantedStore } from './grantedstore.ts';
import { Growth } from './growth.ts';
import { resolveJob } from './job.ts';
import { enableLinearExpressions } from './linear.ts';
import { PlanProblems, PlanRefused } from './problems.ts';
import { type Copying, reportProgress } from './progress.ts';
import { sha256, type ResultsStore } from './results.ts';
import type { ScratchPlace } from './scratch.ts';
import { makeSignals } from './signals.ts';
import { trafficOf } from './sides.ts';
import { runStage, type StageSignals } from './stage.ts';
import { openSides } from './stores.ts';
import type { Tally } from './tally.ts';

/** What the role takes from its process. */
export interface CopyHost {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted on SIGTERM. */
  readonly terminate: AbortSignal;
  /** Where log lines go. */
  readonly output: DestinationStream;
  /** File for the termination message; default `/dev/termination-log`. */
  readonly terminationLog?: string;
  /** Where a large plan is worked out, when it is not the pod's own place. */
  readonly scratch?: ScratchPlace;
  /** Milliseconds; shorter in tests. */
  readonly patience?: number;
  readonly segmentInterval?: number;
  /** How requests to the user's stores are tried again. */
  readonly retry?: RetryPolicy;
}

/** The kubelet begins to evict when a tenth of a node's disk is left. */
const diskReserve = 0.15;

/** The role `ebbflow copy`: one worker of a copy stage. Returns the exit code; never throws. */
export async function runCopyWorker(host: CopyHost): Promise<number> {
  const startTime = new Date();
  const log = pino({ base: undefined, redact: ['*.authorization', '*.url', '*.token'] }, host.output);
  let env: WorkerEnvironment;
  try {
    env = readEnvironment({ ...host.env });
  } catch (error) {
    const message = error instanceof Error ? error.message : 'the environment cannot be read';
    log.fatal({ message }, 'misconfigured');
    await writeTermination(host, { exitCode: EXIT.misconfigured, reason: 'InvalidSpec', message });
    return EXIT.misconfigured;
  }
  const signals = makeSignals(host.terminate);
  const patience = host.patience === undefined ? {} : { patience: host.patience };
  const api = openWorkerApi(env);
  const tools = { api, results: new GrantedStore(api, patience), log, patience };
  let ending: Ending;
  try {
    ending = await work(host, env, tools, signals);
    ending = await handIn(env, ending, startTime, tools, signals.last);
    const report = { ...ending.result, exitCode: ending.exitCode, reason: ending.reason };
    log[ending.exitCode === EXIT.ok ? 'info' : 'error']({ ...report, message: ending.message }, 'end');
    await writeTermination(host, ending);
  } finally {
    signals.clear();
    await api.close();
  }
  return ending.exitCode;
}

interface Tools {
  readonly api: WorkerApi;
  readonly results: ResultsStore;
  readonly log: Logger;
  /** How long the operator and the results store are waited for. */
  readonly patience: { readonly patience?: number };
}

async function work(
  host: CopyHost,
  env: WorkerEnvironment,
  tools: Tools,
  signals: StageSignals,
): Promise<Ending> {
  const { api, results, log, patience } = tools;
  let copying: Copying | undefined;
  const growth = new Growth(api, signals.last, patience);
  const progress = reportProgress(() => copying, api, log, signals.last);
  try {
    const stage = readStage(env);
    enableLinearExpressions();
    const problems = new PlanProblems();
    const job = resolveJob(stage, problems);
    const sides = await openSides(job, env.spec.stores, host.env, host.retry);
    try {
      const { stage: name, index, podUID } = env;
      const onTally = (known: Tally, plan: PlanIndex): void => {
        copying = { tally: known, plan, index, traffic: () => trafficOf(sides) };
        if (index === 0 && !job.dryRun) growth.begin(plan.workers);
      };
      const end = await runStage(
        {
          job,
          problems,
          sides,
          results,
          worker: { stage: name, index, podUID },
          crew: { most: env.spec.workers, share: env.spec.share ?? WORKER_SHARE },
          scratch: host.scratch ?? {
            directory: PATHS.scratch,
            limit: env.spec.scratch ?? 0,
            reserve: diskReserve,
          },
          owner: `${env.runUID}-${name}`,
          log,
          onTally,
          segmentInterval: host.segmentInterval,
        },
        signals,
      );
      if (end.finished) await growth.confirm(signals.stop);
      return endOfStage({ ...end, result: { ...end.result, ...trafficOf(sides) } }, job.maxFailures);
    } finally {
      await Promise.all([sides.source.close(), sides.destination.close()]);
    }
  } catch (error) {
    if (signals.stop.aborted) {
      const message = 'ended by SIGTERM; the next worker goes on from the ledger';
      return { exitCode: EXIT.terminated, message, result: copying?.tally.result };
    }
    return endOfError(error, copying?.tally.result);
  } finally {
    growth.stop();
    await progress.stop();
  }
}

/** The stage's copy member. The API server checked it, so a fault here is one of ours. */
function readStage(env: WorkerEnvironment): CopyStage {
  const parsed = copyStage.safeParse(env.spec.copy);
  if (parsed.success) return parsed.data;
  throw new PlanRefused(`the copy stage is malformed: ${prettifyError(parsed.error)}`, 1, 'InvalidSpec');
}

/**
 * Stores worker.json and tells the operator. Only worker.json says how many objects failed, so a worker that cannot
 * store it has not done its work: the next pod finds all rows in the ledger and hands in. What the operator is not told,
 * it finds.
 */
async function handIn(
  env: WorkerEnvironment,
  ending: Ending,
  startTime: Date,
  { api, results, log, patience }: Tools,
  signal: AbortSignal,
): Promise<Ending> {
  const body = Buffer.from(JSON.stringify(makeManifest(env, ending, startTime)));
  const messageOf = (error: unknown): string => (error instanceof Error ? error.message : 'unknown failure');
  try {
    await results.put(workerManifestKey(env), body, signal);
  } catch (error) {
    log.error({ message: messageOf(error) }, 'worker.json not stored');
    if (ending.exitCode !== EXIT.ok) return ending;
    const message = `worker.json could not be stored: ${messageOf(error)}`;
    return { exitCode: EXIT.unavailable, reason: 'StoreUnavailable', message, result: ending.result };
  }
  await api
    .report(sha256(body), signal, patience)
    .catch((error: unknown) => log.error({ message: messageOf(error) }, 'worker.json not reported'));
  return ending;
}

async function writeTermination(host: CopyHost, { exitCode, reason, message }: Ending): Promise<void> {
  if (exitCode === EXIT.ok && reason === undefined) return;
  const text = formatTermination({ reason: reason ?? 'Error', message: message ?? '' });
  // Outside a pod there is no such file; the exit code and the log say the same.
  await writeFile(host.terminationLog ?? PATHS.terminationLog, text).catch(() => undefined);
}
