import type { FileHandle } from 'node:fs/promises';
import { runBounded } from '../copy/pool.ts';
import type { S3Client } from '../s3/client.ts';
import {
  abortMultipart,
  completeMultipart,
  createMultipart,
  uploadPart,
  type Upload,
  type UploadedPart,
} from '../s3/multipart.ts';
import { putObject } from '../s3/objects.ts';
import type { ByteBudget } from './budget.ts';
import { quotePath } from './filepath.ts';
import { withPatience } from './patience.ts';
import { BadOutputError } from './walk.ts';

/** Where one file goes. */
export interface UploadTarget {
  readonly client: S3Client;
  readonly bucket: string;
  readonly key: string;
}

/** What uploads share. */
export interface UploadLimits {
  readonly memory: ByteBudget;
  /** Milliseconds per request that a failing store is waited for. */
  readonly patience: number;
  /** Files larger than a part are sent in parts of this many bytes. */
  readonly partSize: number;
}

/** Parts of one file under way at a time, as far as memory allows. */
const partsAtATime = 4;
const mostParts = 10_000;
/** Milliseconds; less than what is left of the pod's grace once outputs are given up. */
const abortTimeout = 5_000;

/** Stores `size` bytes of an open file and returns the ETag. Parts of a failed upload are dropped. */
export async function uploadFile(
  file: FileHandle,
  size: number,
  target: UploadTarget,
  limits: UploadLimits,
  signal: AbortSignal,
): Promise<string> {
  const { client, bucket, key } = target;
  const { memory, patience } = limits;
  if (size <= limits.partSize) {
    return memory.use(size, async () => {
      const body = await readExactly(file, 0, size, key);
      return withPatience(patience, () => putObject(client, { bucket, key, body }, signal), signal);
    });
  }
  const partSize = partSizeFor(size, limits.partSize);
  const upload = await withPatience(patience, () => createMultipart(client, { bucket, key }, signal), signal);
  const parts: UploadedPart[] = [];
  const sendPart = async (number: number, stop: AbortSignal): Promise<void> => {
    const start = (number - 1) * partSize;
    const length = Math.min(partSize, size - start);
    await memory.use(length, async () => {
      const body = await readExactly(file, start, length, key);
      const part = { number, body };
      parts.push(await withPatience(patience, () => uploadPart(client, upload, part, stop), stop));
    });
  };
  try {
    await runBounded(numbersTo(Math.ceil(size / partSize)), partsAtATime, sendPart, signal);
    return await withPatience(patience, () => completeMultipart(client, upload, parts, signal), signal);
  } catch (error) {
    await dropParts(client, upload);
    throw error;
  }
}

/** Stores take at most 10,000 parts. */
export function partSizeFor(size: number, wanted: number): number {
  return Math.max(wanted, Math.ceil(size / mostParts));
}

function* numbersTo(last: number): Generator<number> {
  for (let number = 1; number <= last; number += 1) yield number;
}

async function readExactly(file: FileHandle, start: number, length: number, key: string): Promise<Buffer> {
  const body = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(body, filled, length - filled, start + filled);
    if (bytesRead === 0)
      throw new BadOutputError(`the file for ${quotePath(key)} became shorter while it was being stored`);
    filled += bytesRead;
  }
  return body;
}

/** Best effort: a bucket's own rule for unfinished uploads cleans up what this cannot. */
async function dropParts(client: S3Client, upload: Upload): Promise<void> {
  await abortMultipart(client, upload, AbortSignal.timeout(abortTimeout)).catch(() => undefined);
}
