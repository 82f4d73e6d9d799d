import type { Logger } from 'pino';
import { openWorkerApi, type WorkerApi } from '../api/client.ts';
import type { WorkerEnvironment } from '../contract/environment.ts';
import { EXIT } from '../contract/exitcodes.ts';
import { outputsKey, workerManifestKey } from '../contract/keys.ts';
import type { OutputsManifest } from '../contract/manifests.ts';
import { askAdmission } from './admission.ts';
import { failureOf, Terminated } from './failure.ts';
import { GrantKeeper } from './grantkeeper.ts';
import {
  openEnvironment,
  openLog,
  pathsOf,
  timesOf,
  writeTermination,
  type HostTimes,
  type TrainHost,
} from './host.ts';
import { ShimListener, type CommandEnd } from './listener.ts';
import { judgeCommand, makeManifest, sha256, type Ending } from './manifest.ts';
import type { storeOutputs } from './outputs.ts';
import { OpenStores } from './stores.ts';
import { watchTermination, type Termination } from './termination.ts';

interface Tools {
  readonly env: WorkerEnvironment;
  readonly api: WorkerApi;
  readonly grants: GrantKeeper;
  readonly stores: OpenStores;
  readonly times: HostTimes;
  readonly log: Logger;
}

interface StoredOutputs {
  readonly manifest: OutputsManifest;
  readonly bytes: Buffer;
}

/**
 * The role `ebbflow agent`: waits for the command's end, stores its outputs once the operator has admitted this pod,
 * and leaves the worker's last word. Returns the exit code; never throws.
 */
export async function runAgent(host: TrainHost): Promise<number> {
  const log = openLog(host);
  try {
    const env = openEnvironment(host);
    const times = timesOf(host);
    const api = openWorkerApi(env);
    const keys = [workerManifestKey(env), ...(hasOutputs(env) ? [outputsKey(env)] : [])];
    const grants = new GrantKeeper(api, keys, log);
    const stores = new OpenStores(env.spec.stores, host.env);
    const termination = watchTermination(host.terminate, times);
    try {
      return await follow(host, { env, api, grants, stores, times, log }, termination);
    } finally {
      termination.clear();
      grants.stop();
      await Promise.all([api.close(), stores.close()]);
    }
  } catch (error) {
    const failure = failureOf(error, { exitCode: EXIT.misconfigured, reason: 'Error' });
    log.error({ ...failure }, 'the agent failed');
    await writeTermination(host, failure);
    return failure.exitCode;
  }
}

async function follow(host: TrainHost, tools: Tools, termination: Termination): Promise<number> {
  const { log, times } = tools;
  const startTime = new Date();
  const listener = new ShimListener(pathsOf(host), times.lostShim, () => log.info('the command has started'));
  await listener.listen();
  tools.grants.start();
  // Loaded while the command runs, and only where there will be something to store.
  const storing = hasOutputs(tools.env) ? import('./outputs.ts') : undefined;
  try {
    const end = await Promise.race([listener.ended, termination.commandOverdue(() => listener.connected)]);
    log.info({ end }, 'the command has ended');
    let outputs: StoredOutputs | undefined;
    let ending: Ending;
    try {
      if (end === undefined || isTerminated(end, host.terminate))
        ending = endOfTerminated(end, listener.startTime);
      else {
        const failure = judgeCommand(end);
        if (failure === undefined)
          outputs = await commit(tools, await storing, host.terminate, termination.outputs);
        ending = failure ?? { exitCode: EXIT.ok };
      }
    } catch (error) {
      ending =
        error instanceof Terminated
          ? terminated(error.message)
          : failureOf(error, { exitCode: EXIT.outputFailed, reason: 'OutputFailed' });
      if (error instanceof Terminated) log.warn(ending, 'the outputs are given up');
    }
    const { exitCode, reason, message } = ending;
    if (reason !== undefined && message !== undefined) {
      log.error(ending, 'end');
      await writeTermination(host, { exitCode, reason, message });
    }
    const manifest = makeManifest(tools.env, end, ending, outputs, { startTime, endTime: new Date() });
    return await handIn(host, Buffer.from(JSON.stringify(manifest)), ending, tools, termination);
  } finally {
    listener.close();
  }
}

/**
 * Whether the pod was asked to go before the command had ended by itself. Even an exit code of 0 is then no success: a
 * program that saves its state on SIGTERM ends like that. Only the shim knows which came first: its SIGTERM and ours
 * are sent apart.
 */
function isTerminated(end: CommandEnd, terminate: AbortSignal): boolean {
  return end.kind === 'exited' ? end.record.terminated === true : terminate.aborted;
}

function endOfTerminated(end: CommandEnd | undefined, startTime: string | undefined): Ending {
  const how =
    end === undefined
      ? startTime === undefined
        ? 'the command had not started'
        : 'the command did not end in time'
      : (judgeCommand(end)?.message ?? 'the command ended with exit code 0');
  return terminated(how);
}

/** Why the pod had to go, the operator knows. */
function terminated(how: string): Ending {
  return { exitCode: EXIT.terminated, message: `ended by SIGTERM: ${how}` };
}

/** Outputs go out only after this pod is the admitted one, and their list goes out last. */
async function commit(
  tools: Tools,
  storing: { readonly storeOutputs: typeof storeOutputs } | undefined,
  terminate: AbortSignal,
  signal: AbortSignal,
): Promise<StoredOutputs | undefined> {
  const { env, api, grants, stores, times, log } = tools;
  if (storing === undefined) return undefined;
  await askAdmission(api, times.commit, terminate, signal);
  const outputTools = { stores, log, patience: times.store };
  const manifest = await storing.storeOutputs(env, env.spec.outputs ?? [], outputTools, signal);
  const bytes = Buffer.from(JSON.stringify(manifest));
  const outcome = await grants.put(outputsKey(env), bytes, signal, times.store);
  log.info({ files: manifest.files.length, outcome }, 'outputs are stored');
  return { manifest, bytes };
}

/** worker.json is the truth; the report only makes the operator look for it at once. */
async function handIn(
  host: TrainHost,
  body: Buffer,
  ending: Ending,
  { env, api, grants, times, log }: Tools,
  termination: Termination,
): Promise<number> {
  try {
    await grants.put(workerManifestKey(env), body, termination.last, times.lastWord);
  } catch (error) {
    const failure = failureOf(error, { exitCode: EXIT.unavailable, reason: 'StoreUnavailable' });
    log.error({ ...failure }, 'worker.json is not stored');
    if (ending.exitCode !== EXIT.ok) return ending.exitCode;
    await writeTermination(host, failure);
    return failure.exitCode;
  }
  try {
    await api.report(sha256(body), termination.last, { patience: times.report });
  } catch (error) {
    const message = error instanceof Error ? error.message : 'unknown failure';
    log.warn({ message }, 'the operator was not told; it finds worker.json by itself');
  }
  return ending.exitCode;
}

function hasOutputs(env: WorkerEnvironment): boolean {
  return (env.spec.outputs ?? []).length > 0;
}
