import { writeFile } from 'node:fs/promises';
import { pino, type DestinationStream, type Logger } from 'pino';
import { prettifyError } from 'zod';
import { openWorkerApi, type WorkerApi } from '../api/client.ts';
import { copyStage, type CopyStage } from '../../operator/api/copystage.ts';
import { PATHS, readEnvironment, type WorkerEnvironment } from '../contract/environment.ts';
import { EXIT } from '../contract/exitcodes.ts';
import { workerManifestKey } from '../contract/keys.ts';
import { formatTermination } from '../contract/termination.ts';
import type { RetryPolicy } from '../s3/retry.ts';
import { endOfError, endOfStage, makeManifest, type Ending } from './ending.ts';
import { GrantedStore } from './grantedstore.ts';
import { resolveJob } from './job.ts';
import { enableLinearExpressions } from './linear.ts';
import { PlanProblems, PlanRefused } from './problems.ts';
import { reportProgress } from './progress.ts';
import { sha256, type ResultsStore } from './results.ts';
import type { ScratchPlace } from './scratch.ts';
import { makeSignals } from './signals.ts';
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
  const options = host.patience === undefined ? {} : { patience: host.patience };
  const api = openWorkerApi(env);
  const results = new GrantedStore(api, options);
  let ending: Ending;
  try {
    ending = await work(host, env, { api, results, log }, signals);
    const report = { ...ending.result, exitCode: ending.exitCode, reason: ending.reason };
    log[ending.exitCode === EXIT.ok ? 'info' : 'error']({ ...report, message: ending.message }, 'end');
    await writeTermination(host, ending);
    await handIn(env, ending, startTime, { api, results, log }, options, signals.last);
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
}

async function work(
  host: CopyHost,
  env: WorkerEnvironment,
  tools: Tools,
  signals: StageSignals,
): Promise<Ending> {
  const { api, results, log } = tools;
  let tally: Tally | undefined;
  const progress = reportProgress(() => tally, api, log, signals.last);
  try {
    const stage = readStage(env);
    enableLinearExpressions();
    const problems = new PlanProblems();
    const job = resolveJob(stage, problems);
    const sides = await openSides(job, env.spec.stores, host.env, host.retry);
    try {
      const { stage: name, index, podUID } = env;
      const onTally = (known: Tally): void => {
        tally = known;
      };
      const end = await runStage(
        {
          job,
          problems,
          sides,
          results,
          worker: { stage: name, index, podUID },
          workers: env.spec.workers,
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
      return endOfStage(end, job.maxFailures);
    } finally {
      await Promise.all([sides.source.close(), sides.destination.close()]);
    }
  } catch (error) {
    if (signals.stop.aborted) {
      const message = 'ended by SIGTERM; the next worker goes on from the ledger';
      return { exitCode: EXIT.terminated, message, result: tally?.result };
    }
    return endOfError(error, tally?.result);
  } finally {
    await progress.stop();
  }
}

/** The stage's copy member. The API server checked it, so a fault here is one of ours. */
function readStage(env: WorkerEnvironment): CopyStage {
  const parsed = copyStage.safeParse(env.spec.copy);
  if (parsed.success) return parsed.data;
  throw new PlanRefused(`the copy stage is malformed: ${prettifyError(parsed.error)}`, 1, 'InvalidSpec');
}

/** Stores worker.json and tells the operator. A failure here changes nothing about how the work ended. */
async function handIn(
  env: WorkerEnvironment,
  ending: Ending,
  startTime: Date,
  { api, results, log }: Tools,
  patience: { readonly patience?: number },
  signal: AbortSignal,
): Promise<void> {
  try {
    const body = Buffer.from(JSON.stringify(makeManifest(env, ending, startTime)));
    await results.put(workerManifestKey(env), body, signal);
    await api.report(sha256(body), signal, patience);
  } catch (error) {
    log.error(
      { message: error instanceof Error ? error.message : 'unknown failure' },
      'worker.json not handed in',
    );
  }
}

async function writeTermination(host: CopyHost, { exitCode, reason, message }: Ending): Promise<void> {
  if (exitCode === EXIT.ok && message === undefined) return;
  const text = formatTermination({ reason: reason ?? 'Error', message: message ?? '' });
  // Outside a pod there is no such file; the exit code and the log say the same.
  await writeFile(host.terminationLog ?? PATHS.terminationLog, text).catch(() => undefined);
}
