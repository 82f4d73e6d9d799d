import { createWriteStream } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { EXIT } from '../contract/exitcodes.ts';
import type { S3Client } from '../s3/client.ts';
import { S3Error } from '../s3/errors.ts';
import { getObject, openObject } from '../s3/objects.ts';
import { WorkerFailure } from './failure.ts';
import { quotePath } from './filepath.ts';
import type { InputFile } from './inputs.ts';
import { TransferBroken, withPatience } from './patience.ts';

/** Objects up to this are read whole: one request, one write. Larger ones are streamed to disk. */
const smallObject = 1024 * 1024;

/** Writes the files of one input. Directories are 0777 and files 0644, whatever user the command runs as. */
export class Downloader {
  readonly #directory: string;
  readonly #patience: number;
  readonly #made = new Set<string>();

  /** `patience` in milliseconds, per file. */
  constructor(directory: string, patience: number) {
    this.#directory = directory;
    this.#patience = patience;
  }

  /** Fetches one object; its path has been checked before. */
  async fetch(client: S3Client, file: InputFile, signal: AbortSignal): Promise<void> {
    const target = join(this.#directory, file.path);
    try {
      await this.#makeDirectory(dirname(target));
      await withPatience(this.#patience, () => transfer(client, file, target, signal), signal);
    } catch (error) {
      if (signal.aborted) throw error;
      throw explain(error, file);
    }
  }

  async #makeDirectory(directory: string): Promise<void> {
    if (this.#made.has(directory)) return;
    await mkdir(directory, { recursive: true, mode: 0o777 });
    this.#made.add(directory);
  }
}

async function transfer(
  client: S3Client,
  file: InputFile,
  target: string,
  signal: AbortSignal,
): Promise<void> {
  const { bucket, key, etag, size } = file;
  const what = { bucket, key, ...(etag === '' ? {} : { ifMatch: etag }) };
  if (size <= smallObject) {
    const body = await getObject(client, what, signal);
    if (body === undefined) throw missing(file);
    checkSize(file, body.length);
    await writeFile(target, body, { mode: 0o644, flag: 'wx' });
    return;
  }
  const { body } = await openObject(client, what, signal);
  let written = 0;
  body.on('data', (chunk: Buffer) => {
    written += chunk.length;
  });
  const sink = createWriteStream(target, { mode: 0o644, flags: 'wx' });
  try {
    await pipeline(body, sink, { signal });
    checkSize(file, written);
  } catch (error) {
    if (hasCode(error, 'EEXIST')) throw error;
    await rm(target, { force: true });
    if (error instanceof S3Error || error instanceof TransferBroken || isSystemError(error)) throw error;
    throw new TransferBroken(`the transfer of ${quotePath(key)} broke off`, { cause: error });
  }
}

function checkSize(file: InputFile, got: number): void {
  if (got !== file.size)
    throw new TransferBroken(`${quotePath(file.key)} has ${got} bytes instead of ${file.size}`);
}

/** Failures of the disk; those of the connection have a `syscall` too, but none of these codes. */
const diskCodes = new Set([
  'EACCES',
  'EDQUOT',
  'EFBIG',
  'EIO',
  'EISDIR',
  'ENAMETOOLONG',
  'ENOSPC',
  'ENOTDIR',
  'EROFS',
]);

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && diskCodes.has(String(error.code));
}

function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

function explain(error: unknown, file: InputFile): unknown {
  const key = quotePath(file.key);
  const say = (message: string): WorkerFailure =>
    new WorkerFailure(EXIT.inputFailed, 'InputFailed', message, { cause: error });
  if (error instanceof S3Error && error.code === 'PreconditionFailed')
    return say(`object ${key} in bucket ${file.bucket} was changed after it was listed or stored`);
  if (error instanceof S3Error && (error.code === 'NoSuchKey' || error.code === 'NotFound'))
    return missing(file);
  if (error instanceof TransferBroken) return say(error.message);
  if (hasCode(error, 'ENOTDIR', 'EEXIST', 'EISDIR'))
    return say(
      `object ${key} cannot be a file: another key of the input makes the same path a directory, or part of it a file`,
    );
  if (hasCode(error, 'ENOSPC', 'EDQUOT'))
    return say(`the disk of the pod is full: the input does not fit (at object ${key})`);
  return error;
}

function missing(file: InputFile): WorkerFailure {
  const where = `bucket ${file.bucket} of store ${file.store}`;
  return new WorkerFailure(
    EXIT.inputFailed,
    'InputFailed',
    `object ${quotePath(file.key)} is not in ${where} any more`,
  );
}
