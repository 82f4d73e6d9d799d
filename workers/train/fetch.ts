import { chmod, copyFile, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setInterval } from 'node:timers';
import type { Logger } from 'pino';
import { openWorkerApi, type WorkerApi } from '../api/client.ts';
import type { WorkerEnvironment } from '../contract/environment.ts';
import { EXIT } from '../contract/exitcodes.ts';
import { runBounded } from '../copy/pool.ts';
import { Downloader } from './download.ts';
import { failureOf } from './failure.ts';
import {
  openEnvironment,
  openLog,
  pathsOf,
  timesOf,
  writeTermination,
  type HostPaths,
  type TrainHost,
} from './host.ts';
import { listInput, type InputFile } from './inputs.ts';
import { OpenStores } from './stores.ts';

/** Objects under way at a time. */
const concurrency = 16;
const progressInterval = 5_000;

/**
 * The role `ebbflow fetch`: puts the shim and every input on disk before the command starts. Returns the exit code;
 * never throws.
 */
export async function runFetch(host: TrainHost): Promise<number> {
  const log = openLog(host);
  try {
    const env = openEnvironment(host);
    await installShim(pathsOf(host));
    const counted = await fetchInputs(env, host, log);
    log.info(counted, 'inputs are on disk');
    return EXIT.ok;
  } catch (error) {
    if (host.terminate.aborted) {
      log.warn('ended by SIGTERM before the inputs were complete');
      return EXIT.terminated;
    }
    const failure = failureOf(error, { exitCode: EXIT.inputFailed, reason: 'InputFailed' });
    log.error({ ...failure }, 'fetch failed');
    await writeTermination(host, failure);
    return failure.exitCode;
  }
}

/** By rename, so that the shim is never seen half written, and a copy that is in use is not written to. */
async function installShim({ shimSource, shim }: HostPaths): Promise<void> {
  await mkdir(dirname(shim), { recursive: true });
  const draft = `${shim}.draft`;
  await copyFile(shimSource, draft);
  await chmod(draft, 0o755);
  await rename(draft, shim);
}

async function fetchInputs(
  env: WorkerEnvironment,
  host: TrainHost,
  log: Logger,
): Promise<{ files: number; bytes: number }> {
  const inputs = env.spec.inputs ?? [];
  const total = { files: 0, bytes: 0 };
  if (inputs.length === 0) return total;
  const signal = host.terminate;
  const times = timesOf(host);
  const api = openWorkerApi(env);
  const stores = new OpenStores(env.spec.stores, host.env);
  try {
    const lists: { directory: string; files: InputFile[] }[] = [];
    for (const input of inputs) {
      const files = await listInput(input, { api, patience: times.store }, stores, signal);
      if (files.length === 0) log.warn({ stage: input.stage }, 'the input is empty');
      lists.push({ directory: input.directory, files });
      total.files += files.length;
      for (const { size } of files) total.bytes += size;
    }
    log.info(total, 'fetching');
    const progress = reportProgress(api, total.files, signal);
    try {
      for (const { directory, files } of lists) {
        await emptyDirectory(directory);
        const downloader = new Downloader(directory, times.store);
        const one = async (file: InputFile, stop: AbortSignal): Promise<void> => {
          await downloader.fetch(await stores.client(file.store), file, stop);
          progress.done += 1;
        };
        await runBounded(files, concurrency, one, signal);
      }
    } finally {
      progress.stop();
    }
    return total;
  } finally {
    await Promise.all([api.close(), stores.close()]);
  }
}

/** What an earlier try left, perhaps half of a file, and nothing that a link in there points to. */
async function emptyDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o777 });
  for (const name of await readdir(directory))
    await rm(join(directory, name), { recursive: true, force: true });
}

function reportProgress(
  api: WorkerApi,
  total: number,
  signal: AbortSignal,
): { done: number; stop: () => void } {
  const send = (): void => {
    // Nobody waits for it, and the next one says it better.
    api.progress({ done: state.done, total, unit: 'files' }, signal).catch(() => undefined);
  };
  const timer = setInterval(send, progressInterval);
  const state = { done: 0, stop: () => clearInterval(timer) };
  return state;
}
