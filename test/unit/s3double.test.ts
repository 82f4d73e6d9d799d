import { afterEach, describe, expect, test } from 'vitest';
import { S3Client } from '../../workers/s3/client.ts';
import { copyObject } from '../../workers/s3/copies.ts';
import { fixedCredentials } from '../../workers/s3/credentials.ts';
import {
  completeMultipart,
  createMultipart,
  uploadPart,
  uploadPartCopy,
} from '../../workers/s3/multipart.ts';
import { listObjects } from '../../workers/s3/listpage.ts';
import { deleteObject, getObject, headObject, putObject } from '../../workers/s3/objects.ts';
import { probeCapabilities } from '../../workers/s3/probe.ts';
import { getTagging } from '../../workers/s3/tagging.ts';
import { toByteString } from '../support/s3double/bytestring.ts';
import { Generated } from '../support/s3double/content.ts';
import { spawnDouble } from '../support/s3double/process.ts';
import { startDouble, type S3Double } from '../support/s3double/server.ts';
import type { DoubleSetup } from '../support/s3double/setup.ts';
import { TokenBucket } from '../support/s3double/throttle.ts';

const never = new AbortController().signal;
const toStop: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(toStop.splice(0).map((stop) => stop()));
});

function clientFor(endpoint: string): S3Client {
  const credentials = fixedCredentials({ accessKeyId: 'A', secretAccessKey: 's' });
  const client = new S3Client({ endpoint, credentials, retry: { attempts: 1, baseDelay: 1, maxDelay: 1 } });
  toStop.push(() => client.close());
  return client;
}

async function start(setup: DoubleSetup): Promise<{ double: S3Double; client: S3Client }> {
  const double = await startDouble(setup);
  toStop.push(() => double.stop());
  return { double, client: clientFor(double.endpoint) };
}

async function listKeys(client: S3Client, prefix: string, maxKeys: number, startAfter?: string) {
  const keys: string[] = [];
  let token: string | undefined;
  do {
    const after = startAfter === undefined || token !== undefined ? {} : { startAfter };
    const page = await listObjects(client, { bucket: 'b', prefix, maxKeys, token, ...after }, never);
    expect(page.objects.length).toBeLessThanOrEqual(maxKeys);
    keys.push(...page.objects.map(({ key }) => key));
    token = page.nextToken;
  } while (token !== undefined);
  return keys;
}

describe('listing', () => {
  test('is in the order of UTF-8 bytes, whatever the keys hold', async () => {
    const { client } = await start({ buckets: ['b'] });
    const keys = [
      '\u{1F600}',
      '\uFF5E',
      'a//b',
      'a+b c',
      '%20',
      '&<>"\'',
      '\u0001',
      'e\u0301',
      '../x',
      '/y',
      'a',
    ];
    for (const key of keys) await putObject(client, { bucket: 'b', key, body: Buffer.from('x') }, never);
    const inOrder = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(await listKeys(client, '', 3)).toEqual(inOrder);
    expect(await listKeys(client, 'a', 1)).toEqual(inOrder.filter((key) => key.startsWith('a')));
    expect(await listKeys(client, '', 2, 'a')).toEqual(inOrder.slice(inOrder.indexOf('a') + 1));
  });

  test('of five million keys that nobody keeps starts anywhere and ends where they end', async () => {
    const { client, double } = await start({ series: [{ bucket: 'b', prefix: 'd/', count: 5_000_000 }] });
    const page = await listObjects(client, { bucket: 'b', prefix: '', startAfter: 'd/004999998' }, never);
    expect(page).toMatchObject({ objects: [{ key: 'd/004999999', size: 4096 }], nextToken: undefined });
    const { objects, nextToken } = await listObjects(client, { bucket: 'b', prefix: 'd/00123' }, never);
    expect([objects[0]?.key, objects[999]?.key]).toEqual(['d/001230000', 'd/001230999']);
    expect(nextToken).toBeDefined();
    const head = await headObject(client, { bucket: 'b', key: objects[7]?.key ?? '' }, never);
    expect(head).toMatchObject({ size: objects[7]?.size, etag: objects[7]?.etag });
    expect(new Set(objects.map(({ etag }) => etag)).size).toBe(1000);
    expect(double.stats().requests).toEqual({ ListObjectsV2: 2, HeadObject: 1 });
  });

  test('merges keys that are kept with those of series', async () => {
    const series = ['d/', 'f/'].map((prefix) => ({ bucket: 'b', prefix, count: 3, digits: 1 }));
    const { client } = await start({ series });
    for (const key of ['a', 'e', 'z'])
      await putObject(client, { bucket: 'b', key, body: Buffer.from('') }, never);
    const all = ['a', 'd/0', 'd/1', 'd/2', 'e', 'f/0', 'f/1', 'f/2', 'z'];
    for (const size of [1, 2, 9]) expect(await listKeys(client, '', size)).toEqual(all);
  });
});

describe('objects', () => {
  test('carry what they were given, also through a copy', async () => {
    const { client } = await start({ buckets: ['b', 'c'] });
    const headers = { 'content-type': 'text/x', 'x-amz-meta-a': 'b', 'x-amz-tagging': 'k=v%26w' };
    const etag = await putObject(
      client,
      { bucket: 'b', key: 'k', body: Buffer.from('hello'), headers },
      never,
    );
    expect(etag).toBe('5d41402abc4b2a76b9719d911017c592');
    const source = { bucket: 'b', key: 'k', etag };
    expect(await copyObject(client, { source, bucket: 'c', key: 'l' }, never)).toBe(etag);
    const head = await headObject(client, { bucket: 'c', key: 'l' }, never);
    expect(head?.headers).toMatchObject({ 'content-type': 'text/x', 'x-amz-meta-a': 'b' });
    expect(await getTagging(client, { bucket: 'c', key: 'l' }, never)).toBe('k=v%26w');
    const range = { first: 1, last: 3 };
    expect(String(await getObject(client, { bucket: 'c', key: 'l', range }, never))).toBe('ell');
    await expect(getObject(client, { bucket: 'c', key: 'l', ifMatch: 'x' }, never)).rejects.toMatchObject({
      status: 412,
    });
  });

  test.each([
    [
      {},
      {
        sourcePinned: true,
        createOnly: true,
        putCreateOnly: true,
        completeCreateOnly: true,
        deleteIfMatch: true,
        aliases: 'Exact',
      },
    ],
    [{ ignored: ['copySourceIfMatch'] }, { sourcePinned: false, createOnly: true, deleteIfMatch: true }],
    [{ ignored: ['copyIfNoneMatch'] }, { sourcePinned: true, createOnly: false, putCreateOnly: true }],
    [{ ignored: ['putIfNoneMatch'] }, { createOnly: true, putCreateOnly: false, completeCreateOnly: true }],
    [{ ignored: ['completeIfNoneMatch'] }, { putCreateOnly: true, completeCreateOnly: false }],
    [
      { refused: ['copyIfNoneMatch', 'putIfNoneMatch', 'completeIfNoneMatch'] },
      { sourcePinned: true, createOnly: false, putCreateOnly: false, completeCreateOnly: false },
    ],
    [{ ignored: ['deleteIfMatch'] }, { createOnly: true, completeCreateOnly: true, deleteIfMatch: false }],
    [{ aliases: 'Posix' }, { aliases: 'Posix' }],
    [{ aliases: 'NFC' }, { aliases: 'NFC' }],
    [{ aliases: 'CaseInsensitive' }, { aliases: 'CaseInsensitive' }],
    [{ aliases: 'PosixNFC' }, { aliases: 'PosixNFC' }],
    [{ aliases: 'PosixCaseInsensitive' }, { aliases: 'PosixCaseInsensitive' }],
  ] as const)('a store that is %j is probed as that', async (setup, expected) => {
    const { client, double } = await start({
      ...setup,
      ignored: [...('ignored' in setup ? setup.ignored : [])],
      refused: [...('refused' in setup ? setup.refused : [])],
      buckets: ['b'],
    });
    const place = { bucket: 'b', prefix: '', owner: 'x' };
    expect(await probeCapabilities(client, place, { parts: true }, never)).toMatchObject(expected);
    expect(await listKeys(client, '', 10)).toEqual([]);
    expect(double.store.bucket('b').uploads.size).toBe(0);
  });

  test('of 6 GiB are copied in parts, and only so', async () => {
    const size = 6 * 1024 ** 3 + 1;
    const { client, double } = await start({ generated: [{ bucket: 'b', key: 'big', size, seed: 7 }] });
    const head = await headObject(client, { bucket: 'b', key: 'big' }, never);
    const source = { bucket: 'b', key: 'big', etag: head?.etag ?? '' };
    await expect(copyObject(client, { source, bucket: 'b', key: 'x' }, never)).rejects.toMatchObject({
      code: 'InvalidRequest',
    });
    const upload = await createMultipart(client, { bucket: 'b', key: 'x' }, never);
    const half = 3 * 1024 ** 3;
    const ranges = [0, half, 2 * half].map((first) => ({ first, last: Math.min(first + half, size) - 1 }));
    const parts = await Promise.all(
      ranges.map((range, n) => uploadPartCopy(client, upload, { number: n + 1, source, range }, never)),
    );
    await completeMultipart(client, upload, parts, never);
    const bucket = double.store.bucket('b');
    expect(bucket.get('x')?.content.describe()).toBe(bucket.get('big')?.content.describe());
    expect(bucket.uploads.size).toBe(0);
  });

  test('that are streamed are recognised when every byte is right, and only then', async () => {
    const { client, double } = await start({
      generated: [{ bucket: 'b', key: 'g', size: 12 * 1024 ** 2, seed: 9 }],
    });
    const body = await getObject(client, { bucket: 'b', key: 'g' }, never);
    if (body === undefined) throw new Error('the object is gone');
    const upload = await createMultipart(client, { bucket: 'b', key: 'x' }, never);
    const middle = 6 * 1024 ** 2;
    const parts = await Promise.all(
      [body.subarray(0, middle), body.subarray(middle)].map((part, n) =>
        uploadPart(client, upload, { number: n + 1, body: part }, never),
      ),
    );
    await completeMultipart(client, upload, parts, never);
    const bucket = double.store.bucket('b');
    const original = bucket.get('g')?.content.describe();
    expect(bucket.get('x')?.content.describe()).toBe(original);
    body[middle] = 255 - (body[middle] ?? 0);
    await putObject(client, { bucket: 'b', key: 'y', body }, never);
    expect(bucket.get('y')?.content.describe()).not.toBe(original);
  });

  test('no page of a generated object stands in for another', () => {
    const pages = new Set<string>();
    for (const seed of [1, 2]) {
      for (let page = 0; page < 300; page += 1) {
        const content = new Generated(seed, 4096, page * 4096);
        pages.add(Buffer.concat([...content.read(0, 4095)]).toString('latin1'));
      }
    }
    expect(pages.size).toBe(600);
  });
});

describe('faults', () => {
  const put = (client: S3Client) =>
    putObject(client, { bucket: 'b', key: 'k', body: Buffer.from('x') }, never);
  const copy = (client: S3Client) =>
    copyObject(client, { source: { bucket: 'b', key: 's', etag: '' }, bucket: 'b', key: 'k' }, never);

  test.each([
    ['answer', 'InternalError', false],
    ['answerIn200', 'InternalError', false],
    ['empty', 'BadResponse', false],
    ['emptyAfter', 'BadResponse', true],
    ['reset', 'ConnectionFailed', false],
    ['resetAfter', 'ConnectionFailed', true],
    ['truncate', 'BadResponse', true],
  ] as const)('%s: the client sees %s, and whether it was done is %s', async (kind, code, done) => {
    const { client } = await start({ buckets: ['b'], faults: [{ operation: 'CopyObject', kind, times: 1 }] });
    await putObject(client, { bucket: 'b', key: 's', body: Buffer.from('s') }, never);
    await expect(copy(client)).rejects.toMatchObject({ code });
    expect((await headObject(client, { bucket: 'b', key: 'k' }, never)) !== undefined).toBe(done);
    await copy(client);
  });

  test('hit the requests that they name, after and as often as they say', async () => {
    const { client, double } = await start({ buckets: ['b'] });
    double.setFaults([
      { operation: 'PutObject', key: 'k', kind: 'answer', status: 503, code: 'SlowDown', after: 1, times: 1 },
    ]);
    await putObject(client, { bucket: 'b', key: 'other', body: Buffer.from('') }, never);
    await put(client);
    await expect(put(client)).rejects.toMatchObject({ code: 'SlowDown' });
    await put(client);
  });

  test('a changed source is refused by its pin', async () => {
    const { client } = await start({
      buckets: ['b'],
      faults: [{ operation: 'CopyObject', kind: 'changeSource' }],
    });
    const etag = await put(client);
    const source = { bucket: 'b', key: 'k', etag };
    await expect(copyObject(client, { source, bucket: 'b', key: 'l' }, never)).rejects.toMatchObject({
      status: 412,
    });
    expect((await headObject(client, { bucket: 'b', key: 'k' }, never))?.size).toBe(1);
  });

  test('a limit lets its rate through and no more', () => {
    let now = 0;
    const limit = {
      prefix: '',
      requests: 'all',
      rate: 100,
      burst: 10,
      status: 503,
      code: 'SlowDown',
    } as const;
    const bucket = new TokenBucket(limit, () => now);
    let admitted = 0;
    for (; now < 2000; now += 1) if (bucket.take() === undefined) admitted += 1;
    expect(admitted).toBe(209);
    expect(bucket.counts.admitted).toEqual([109, 100]);
    expect(bucket.counts.refused).toEqual([891, 900]);
  });

  test('a limit is for its prefix and kind of request', async () => {
    const limits = [{ prefix: 'hot/', requests: 'write', rate: 0.001, burst: 1 } as const];
    const { client } = await start({ buckets: ['b'], limits });
    const body = Buffer.from('');
    await putObject(client, { bucket: 'b', key: 'hot/1', body }, never);
    await expect(putObject(client, { bucket: 'b', key: 'hot/2', body }, never)).rejects.toMatchObject({
      code: 'SlowDown',
      retryClass: 'throttle',
    });
    await putObject(client, { bucket: 'b', key: 'cold/1', body }, never);
    await headObject(client, { bucket: 'b', key: 'hot/1' }, never);
  });
});

test('where keys are paths, nothing is written below an object', async () => {
  const { client, double } = await start({ buckets: ['b'], aliases: 'Posix' });
  const body = Buffer.from('');
  await putObject(client, { bucket: 'b', key: 'a', body }, never);
  await expect(putObject(client, { bucket: 'b', key: 'a/b', body }, never)).rejects.toMatchObject({
    status: 409,
  });
  await putObject(client, { bucket: 'b', key: './é//x', body }, never);
  expect(double.store.bucket('b').keys).toEqual(['a', toByteString('é/x')]);
  await deleteObject(client, { bucket: 'b', key: 'a' }, never);
});

test('runs as a process of its own', async () => {
  const double = await spawnDouble({ series: [{ bucket: 'b', prefix: '', count: 1 }] });
  toStop.push(() => double.stop());
  expect(await listKeys(clientFor(double.endpoint), '', 10)).toEqual(['000000000']);
  expect((await double.stats()).requests).toEqual({ ListObjectsV2: 1 });
});
