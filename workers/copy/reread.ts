import { createHash } from 'node:crypto';
import type { S3Client } from '../s3/client.ts';
import { S3Error } from '../s3/errors.ts';
import { openObject } from '../s3/objects.ts';
import { connectionError } from '../s3/transport.ts';
import { RowFailed } from './rowfailed.ts';

/** An object, pinned to what it is said to be. */
export interface PinnedObject {
  readonly client: S3Client;
  readonly bucket: string;
  readonly key: string;
  /** Without quotes. */
  readonly etag: string;
  /** Bytes. */
  readonly size: number;
}

/** So many broken connections without a byte in between, and the store is not to be read from now. */
const mostFruitless = 5;

/**
 * The digest (base64) of an object's bytes, read as a stream: no more than a few chunks are ever held. A connection
 * that breaks is taken up again where it broke.
 * @throws RowFailed `ObjectChanged` when it is no longer what it is said to be; S3Error when the store goes on failing.
 */
export async function hashObject(
  object: PinnedObject,
  signal: AbortSignal,
  algorithm: 'sha256' | 'md5' = 'sha256',
): Promise<string> {
  const hash = createHash(algorithm);
  let done = 0;
  let fruitless = 0;
  while (done < object.size) {
    const before = done;
    try {
      for await (const chunk of await openFrom(object, done, signal)) {
        const bytes: Buffer = chunk;
        done += bytes.length;
        if (done > object.size) throw changed(object);
        hash.update(bytes);
      }
      if (done < object.size) throw new Error('the answer ended early');
    } catch (error) {
      if (signal.aborted || error instanceof RowFailed || error instanceof S3Error) throw error;
      fruitless = done > before ? 0 : fruitless + 1;
      const { bucket, key } = object;
      if (fruitless >= mostFruitless) throw connectionError({ operation: 'GetObject', bucket, key }, error);
    }
  }
  return hash.digest('base64');
}

async function openFrom(object: PinnedObject, first: number, signal: AbortSignal) {
  const { client, bucket, key, etag, size } = object;
  const range = first === 0 ? {} : { range: { first, last: size - 1 } };
  const pin = etag === '' ? {} : { ifMatch: etag };
  try {
    return (await openObject(client, { bucket, key, ...range, ...pin }, signal)).body;
  } catch (error) {
    const gone =
      error instanceof S3Error && (error.status === 412 || error.status === 404 || error.status === 416);
    throw gone ? changed(object) : error;
  }
}

function changed({ bucket }: PinnedObject): RowFailed {
  return new RowFailed(
    'ObjectChanged',
    `the object in bucket ${bucket} changed while it was read for verification`,
  );
}
