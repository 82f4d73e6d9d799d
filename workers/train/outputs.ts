import { constants } from 'node:fs';
import type { Logger } from 'pino';
import type { WorkerOutput } from '../contract/environment.ts';
import { EXIT } from '../contract/exitcodes.ts';
import type { AttemptKey } from '../contract/keys.ts';
import type { OutputsManifest } from '../contract/manifests.ts';
import { runBounded } from '../copy/pool.ts';
import { ByteBudget } from './budget.ts';
import { WorkerFailure } from './failure.ts';
import { quotePath } from './filepath.ts';
import type { OpenStores } from './stores.ts';
import { uploadFile, type UploadLimits } from './upload.ts';
import { BadOutputError, openBelow, walkFiles, type SkippedEntry } from './walk.ts';

/** Files under way at a time; memory is bounded apart. */
const concurrency = 12;
const partSize = 16 * 1024 * 1024;
/** The agent asks for 96 MiB of memory; Node itself takes about half. */
const memoryForBodies = 48 * 1024 * 1024;
const longestKey = 1024;

export interface OutputTools {
  readonly stores: OpenStores;
  readonly log: Logger;
  /** Milliseconds per request that a failing store is waited for. */
  readonly patience: number;
  readonly partSize?: number;
}

/**
 * Stores every regular file of the output directories and says what is where; the caller writes that down last.
 * Symbolic links and special files stay behind, with a line in the log.
 * @throws WorkerFailure, S3Error, or the signal's reason.
 */
export async function storeOutputs(
  worker: AttemptKey,
  outputs: readonly WorkerOutput[],
  tools: OutputTools,
  signal: AbortSignal,
): Promise<OutputsManifest> {
  const limits: UploadLimits = {
    memory: new ByteBudget(memoryForBodies),
    patience: tools.patience,
    partSize: tools.partSize ?? partSize,
  };
  const files: OutputsManifest['files'] = [];
  const skip = (entry: SkippedEntry): void => {
    tools.log.warn({ path: entry.path, kind: entry.kind }, 'not stored: not a regular file');
  };
  for (const output of outputs) {
    const one = async (path: string, stop: AbortSignal): Promise<void> => {
      files.push(await storeFile(output, path, tools.stores, limits, stop));
    };
    try {
      await runBounded(walkFiles(output.directory, skip, signal), concurrency, one, signal);
    } catch (error) {
      throw explain(error, output);
    }
  }
  files.sort((a, b) => (a.key < b.key ? -1 : 1));
  return { version: 1, stage: worker.stage, index: worker.index, podUID: worker.podUID, files };
}

async function storeFile(
  { directory, location }: WorkerOutput,
  path: string,
  stores: OpenStores,
  limits: UploadLimits,
  signal: AbortSignal,
): Promise<OutputsManifest['files'][number]> {
  const { store, bucket, prefix } = location;
  const key = outputKey(prefix, path);
  const client = await stores.client(store);
  const file = await openBelow(directory, path, false);
  try {
    const facts = await file.stat();
    if ((facts.mode & constants.S_IFMT) !== constants.S_IFREG)
      throw new BadOutputError(`${quotePath(path)} is not a regular file any more`);
    const { size } = facts;
    const etag = await uploadFile(file, size, { client, bucket, key }, limits, signal);
    return { path, store, bucket, key, size, etag };
  } finally {
    await file.close();
  }
}

/** The whole key of a file: prefixes are literal, no slash is added. */
export function outputKey(prefix: string, path: string): string {
  const key = prefix + path;
  if (Buffer.byteLength(key) > longestKey)
    throw new BadOutputError(
      `the key for ${quotePath(path)} would be longer than ${longestKey} bytes: shorten the prefix or the names`,
    );
  return key;
}

function explain(error: unknown, output: WorkerOutput): unknown {
  const failed = (message: string): WorkerFailure =>
    new WorkerFailure(EXIT.outputFailed, 'OutputFailed', message, { cause: error });
  if (error instanceof BadOutputError) return failed(error.message);
  if (!(error instanceof Error && 'code' in error)) return error;
  if (error.code === 'EACCES' || error.code === 'EPERM')
    return failed(
      `a file or directory for ${output.location.bucket}/${output.location.prefix} cannot be read: make it readable for everybody`,
    );
  if (error.code === 'ELOOP' || error.code === 'ENOENT' || error.code === 'ENOTDIR')
    return failed('the output directory was still changing after the command had ended');
  return error;
}
