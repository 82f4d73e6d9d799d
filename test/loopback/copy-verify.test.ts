import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PlanProblems } from '../../workers/copy/problems.ts';
import { resolveJob } from '../../workers/copy/job.ts';
import { ByteBudget, STREAM_BUDGET } from '../../workers/copy/budget.ts';
import { enableLinearExpressions } from '../../workers/copy/linear.ts';
import { hashObject } from '../../workers/copy/reread.ts';
import type { TransferContext } from '../../workers/copy/transfer.ts';
import { isSampled, lookAtSource, verifyCopy } from '../../workers/copy/verify.ts';
import { S3Client } from '../../workers/s3/client.ts';
import { fixedCredentials } from '../../workers/s3/credentials.ts';
import { headObject } from '../../workers/s3/objects.ts';
import { listen, stopServer } from '../support/grants.ts';
import { startDouble, type S3Double } from '../support/s3double/server.ts';

const signal = AbortSignal.timeout(60_000);
const MiB = 1024 ** 2;
let double: S3Double;
let client: S3Client;

type Headers = Readonly<Record<string, string>>;
const crc = (value: string): Headers => ({ 'x-amz-checksum-crc64nvme': value });

/** One object on each side: bytes are the same where seeds are. */
async function provide(source: { seed?: number; headers?: Headers }, copy: typeof source, size = 4 * MiB) {
  const pair = [
    { bucket: 'from', key: 'k', size, seed: 1, ...source, headers: { ...source.headers } },
    { bucket: 'to', key: 'k', size, seed: 1, ...copy, headers: { ...copy.headers } },
  ];
  double = await startDouble({ generated: pair });
  client = new S3Client({
    endpoint: double.endpoint,
    credentials: fixedCredentials({ accessKeyId: 'a', secretAccessKey: 's' }),
    retry: { attempts: 3, baseDelay: 1, maxDelay: 5 },
  });
}

/** Verifies the copy as if it had just been made. */
async function verify(kind: 'Checksum' | 'Sample', mode: 'Copy' | 'Move' = 'Copy') {
  const head = await headObject(client, { bucket: 'from', key: 'k' }, signal);
  const copy = await headObject(client, { bucket: 'to', key: 'k' }, signal);
  const row = { source: 'k', etag: head?.etag ?? '', size: head?.size ?? 0, destination: 'k' };
  const stage = {
    source: { store: 's', bucket: 'from' },
    destination: { store: 's', bucket: 'to' },
    verify: kind,
    mode,
    ...(kind === 'Sample' ? { samplePercent: 100 } : {}),
  };
  const context: TransferContext = {
    job: resolveJob(stage, new PlanProblems()),
    ends: { source: { client, bucket: 'from' }, destination: { client, bucket: 'to' } },
    guards: {
      sourcePinned: true,
      createOnly: true,
      putCreateOnly: true,
      completeCreateOnly: true,
      deleteIfMatch: true,
    },
    transfer: 'ServerSide',
    plannedAt: new Date(),
    budget: new ByteBudget(STREAM_BUDGET),
  };
  const planned = { ...row, action: 'Copy' } as const;
  const source = await lookAtSource(context, planned, signal);
  return verifyCopy(context, planned, { etag: copy?.etag ?? '', source }, signal);
}

beforeEach(() => enableLinearExpressions());
afterEach(async () => {
  await client.close();
  await double.stop();
});

describe('Checksum', () => {
  test('the checksum that the store has for both sides is compared, the best first, and nothing is read', async () => {
    await provide({ headers: crc('AAAA') }, { headers: crc('AAAA') });
    expect(await verify('Checksum')).toBe('crc64nvme:AAAA');
    expect(double.stats().requests['GetObject']).toBeUndefined();
  });

  test('a different one fails the row, also where the ETags are the same', async () => {
    await provide({ headers: crc('AAAA') }, { headers: crc('BBBB') });
    await expect(verify('Checksum')).rejects.toMatchObject({ code: 'ChecksumMismatch' });
  });

  test('an MD5 sum is a checksum as well', async () => {
    await provide({ headers: crc('AAAA') }, {});
    expect(await verify('Checksum')).toMatch(/^md5:[0-9a-f]{32}$/);
    await client.close();
    await double.stop();
    await provide({}, { seed: 2 });
    await expect(verify('Checksum')).rejects.toMatchObject({ code: 'ChecksumMismatch' });
  });

  test('where there is none in common, both sides are read', async () => {
    const kms = { 'x-amz-server-side-encryption': 'aws:kms' };
    await provide({ headers: { ...crc('AAAA-3') } }, { headers: kms });
    expect(await verify('Checksum')).toMatch(/^read-sha256:.{44}$/);
    await client.close();
    await double.stop();
    await provide({}, { seed: 2, headers: kms });
    await expect(verify('Checksum')).rejects.toMatchObject({ code: 'ContentMismatch' });
  });
});

describe('Sample', () => {
  test('the bytes are compared, whatever the ETags are', async () => {
    await provide({}, {});
    expect(await verify('Sample')).toMatch(/^read-sha256:/);
    expect(double.stats().requests['GetObject']).toBe(2);
  });

  test('the same keys every time, as many as asked for, and more of them for a higher share', () => {
    const keys = Array.from({ length: 20_000 }, (_, n) => `photos/${n}.jpg`);
    const at = (percent: number) => keys.filter((key) => isSampled(key, percent));
    expect(at(10)).toEqual(at(10));
    expect(at(10).length / keys.length).toBeCloseTo(0.1, 2);
    expect(at(100)).toHaveLength(keys.length);
    const more = new Set(at(20));
    expect(at(10).every((key) => more.has(key))).toBe(true);
  });
});

describe('reading an object again', () => {
  const pinned = async () => {
    const head = await headObject(client, { bucket: 'from', key: 'k' }, signal);
    if (head === undefined) throw new Error('no object');
    return { client, bucket: 'from', key: 'k', etag: head.etag, size: head.size };
  };

  test('goes on where a connection broke, with the bytes that are still to come', async () => {
    await provide({}, {});
    const bytes = randomBytes(300_000);
    const asked: string[] = [];
    const server = createServer((request, response) => {
      const range = request.headers.range ?? 'bytes=0-';
      asked.push(range);
      const rest = bytes.subarray(Number(/=(\d+)-/.exec(range)?.[1]));
      response.writeHead(rest.length === bytes.length ? 200 : 206, { 'content-length': rest.length });
      // A third of what is there, and then nothing more.
      response.write(rest.subarray(0, 100_000), () => {
        if (rest.length > 100_000) request.socket.destroy();
        else response.end();
      });
    });
    const endpoint = await listen(server);
    const credentials = fixedCredentials({ accessKeyId: 'a', secretAccessKey: 's' });
    const other = new S3Client({ endpoint, credentials });
    try {
      const object = { client: other, bucket: 'b', key: 'k', etag: 'e', size: bytes.length };
      const expected = createHash('sha256').update(bytes).digest('base64');
      expect(await hashObject(object, signal)).toBe(expected);
      expect(asked).toEqual(['bytes=0-', 'bytes=100000-299999', 'bytes=200000-299999']);
    } finally {
      await other.close();
      await stopServer(server);
    }
  });

  test('gives up when no byte comes any more', async () => {
    await provide({}, {});
    const object = await pinned();
    double.setFaults([{ operation: 'GetObject', kind: 'empty' }]);
    await expect(hashObject(object, signal)).rejects.toMatchObject({ code: 'ConnectionFailed' });
  });

  test('an object that changed is not what was copied', async () => {
    await provide({}, {});
    const object = await pinned();
    double.setFaults([{ operation: 'GetObject', kind: 'changeSource', times: 1 }]);
    await expect(hashObject(object, signal)).rejects.toMatchObject({ code: 'ObjectChanged' });
  });

  test('an empty object has the hash of nothing', async () => {
    await provide({}, {}, 0);
    const empty = createHash('sha256').update('').digest('base64');
    expect(await hashObject(await pinned(), signal)).toBe(empty);
  });
});
