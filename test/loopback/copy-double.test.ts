/** The copy stage on stores that misbehave, on objects that nobody could keep, and after workers that were killed. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { CopyStage } from '../../operator/api/copystage.ts';
import { createMultipart } from '../../workers/s3/multipart.ts';
import { CopyBed, contents, listAll, patientSignal, seed } from '../support/copybed.ts';
import { startDoubleServer } from '../support/s3double/bed.ts';
import type { Content } from '../support/s3double/content.ts';
import type { S3Double } from '../support/s3double/server.ts';
import type { DoubleSetup } from '../support/s3double/setup.ts';

const MiB = 1024 ** 2;
const toStop: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).toReversed()) await stop();
});

interface World {
  readonly bed: CopyBed;
  readonly double: S3Double;
}

async function start(setup: DoubleSetup): Promise<World> {
  const { double, server } = await startDoubleServer({ buckets: ['results', 'src', 'dst'], ...setup });
  toStop.push(() => server.stop());
  const bed = await CopyBed.create(server, 'results');
  toStop.push(() => bed.stop());
  return { bed, double };
}

/** The MD5 of all bytes. */
function sumOf(content: Content | undefined): string {
  const hash = createHash('md5');
  if (content !== undefined) for (const chunk of content.read(0, content.size - 1)) hash.update(chunk);
  return hash.digest('hex');
}

const copy: CopyStage = {
  source: { store: 'lake', bucket: 'src', prefix: 'in/' },
  destination: { store: 'lake', bucket: 'dst', prefix: 'out/' },
};

/** Twenty small objects, one of which is called poison. */
function objects(): [string, string][] {
  return Array.from({ length: 20 }, (_, n) => [`in/${n === 7 ? 'poison' : `object-${n}`}`, `content ${n}`]);
}

function copies(): Map<string, string> {
  return new Map(objects().map(([key, body]) => [key.replace('in/', 'out/'), body]));
}

describe('a fault that passes leaves the copy as it should be', () => {
  test.each([
    ['an error', { kind: 'answer' }],
    ['SlowDown', { kind: 'answer', status: 503, code: 'SlowDown' }],
    ['an error in a 200', { kind: 'answerIn200' }],
    ['SlowDown in a 200', { kind: 'answerIn200', code: 'SlowDown' }],
    ['an empty 200 for nothing', { kind: 'empty' }],
    ['an empty 200 for a copy that was made', { kind: 'emptyAfter' }],
    ['half a body', { kind: 'truncate' }],
    ['a reset', { kind: 'reset' }],
    ['a reset after the copy was made', { kind: 'resetAfter' }],
  ] as const)('%s', async (_name, fault) => {
    const { bed, double } = await start({});
    await seed(bed.client, 'src', objects());
    double.setFaults([{ ...fault, operation: 'CopyObject', bucket: 'dst', key: 'out/', after: 5, times: 3 }]);
    const { code, manifest } = await bed.run(copy);
    expect(code).toBe(0);
    expect(manifest?.copy).toMatchObject({ planned: 20, copied: 20, failed: 0 });
    expect(await contents(bed.client, 'dst')).toEqual(copies());
  });
});

describe('one object that cannot be copied does not stop the others', () => {
  test.each([
    ['its store always fails', { kind: 'answer' }, 'InternalError'],
    ['its store always fails inside a 200', { kind: 'answerIn200' }, 'InternalError'],
    ['success without a result, without a copy', { kind: 'empty' }, 'BadResponse'],
    ['its policy denies it', { kind: 'answer', status: 403, code: 'AccessDenied' }, 'AccessDenied'],
    ['its source changed after it was planned', { kind: 'changeSource', times: 1 }, 'SourceChanged'],
    ['the connection breaks every time', { kind: 'reset' }, 'ConnectionFailed'],
  ] as const)('%s', async (_name, fault, reason) => {
    const { bed, double } = await start({});
    await seed(bed.client, 'src', objects());
    // Behind others: a store that denies the first object may deny all of them.
    double.setFaults([{ ...fault, operation: 'CopyObject', key: 'poison' }]);
    const { code, manifest, lines } = await bed.run({ ...copy, maxFailures: 1 });
    expect(code).toBe(0);
    expect(manifest?.copy).toMatchObject({ copied: 19, failed: 1 });
    const wanted = copies();
    wanted.delete('out/poison');
    expect(await contents(bed.client, 'dst')).toEqual(wanted);
    const failed = (await bed.ledgerRows()).filter(({ outcome }) => outcome === 'Failed');
    expect(failed).toMatchObject([{ source: 'in/poison', error: expect.stringContaining(reason) }]);
    expect(JSON.stringify(lines)).toContain('poison');
  });
});

describe('credentials that expire under way', () => {
  test('are no fault of the objects, though a HEAD does not say so', async () => {
    const { bed, double } = await start({});
    await seed(bed.client, 'src', objects());
    const expired = { kind: 'answer', status: 400, bucket: 'src', after: 5 } as const;
    double.setFaults([
      { ...expired, operation: 'HeadObject', code: 'BadRequest' },
      { ...expired, operation: 'GetObject', code: 'ExpiredToken', after: 0 },
    ]);
    const { code, manifest } = await bed.run({ ...copy, verify: 'Checksum', maxFailures: 20 });
    expect({ code, reason: manifest?.reason }).toEqual({ code: 12, reason: 'StoreUnavailable' });
    expect(manifest?.copy?.failed).toBe(0);
    expect((await bed.ledgerRows()).filter(({ outcome }) => outcome === 'Failed')).toEqual([]);
  });
});

describe('a listing that fails is never the end of the listing', () => {
  const many: [string, string][] = Array.from({ length: 1500 }, (_, n) => [`in/${n}`, '']);

  test.each([
    ['cut short', { kind: 'truncate' }],
    ['an error in a 200', { kind: 'answerIn200' }],
    ['an empty 200', { kind: 'empty' }],
    ['an error', { kind: 'answer' }],
  ] as const)('%s', async (_name, fault) => {
    const { bed, double } = await start({});
    await seed(bed.client, 'src', many);
    // The second page is the one that could be missed.
    const second = { ...fault, operation: 'ListObjectsV2', bucket: 'src', after: 1 };
    double.setFaults([second]);
    expect((await bed.run(copy)).code).not.toBe(0);
    expect(await listAll(bed.client, 'dst')).toEqual([]);
    double.setFaults([{ ...second, times: 2 }]);
    const { code, manifest } = await bed.run(copy);
    expect({ code, copied: manifest?.copy }).toMatchObject({ code: 0, copied: { copied: 1500 } });
  });
});

describe('an object of more than 5 GiB', () => {
  const size = 5 * 1024 ** 3 + 12_345;
  const headers = { 'content-type': 'video/x', 'x-amz-meta-a': 'b' };
  const big = { bucket: 'src', key: 'in/big', size, seed: 11, headers };

  test('is copied in parts on the server, with what it carries', async () => {
    const { bed, double } = await start({ generated: [big] });
    expect((await bed.run(copy)).code).toBe(0);
    const made = double.store.bucket('dst').get('out/big');
    expect(made?.content.describe()).toBe(double.store.bucket('src').get('in/big')?.content.describe());
    expect(made?.headers).toEqual(headers);
    expect(double.stats().requests['UploadPartCopy']).toBe(41);
  });

  test.each([[[]], [['copySourceIfMatch'] as const]])(
    'is not put together of parts of two contents, where these conditions are ignored: %j',
    async (ignored) => {
      const fault = { operation: 'UploadPartCopy', kind: 'changeSource', after: 20, times: 1 } as const;
      const { bed, double } = await start({ generated: [big], ignored: [...ignored], faults: [fault] });
      const { manifest } = await bed.run({ ...copy, maxFailures: 1 });
      expect(manifest?.copy).toMatchObject({ copied: 0, failed: 1 });
      expect(double.store.bucket('dst').keys).toEqual([]);
      expect(double.store.bucket('dst').uploads.size).toBe(0);
      expect(await bed.ledgerRows()).toMatchObject([{ error: expect.stringContaining('SourceChanged') }]);
    },
  );
});

describe('from one store to another', () => {
  async function startTwo(setup: DoubleSetup) {
    const { bed, double } = await start(setup);
    const other = await startDoubleServer({ buckets: ['dst'] });
    toStop.push(() => other.server.stop());
    const store = (name: string, endpoint: string) =>
      ({ name, endpoint, region: 'us-east-1', addressing: 'Path' }) as const;
    const stores = [store('lake', double.endpoint), store('sea', other.server.endpoint)];
    const across: CopyStage = {
      source: { store: 'lake', bucket: 'src', prefix: 'in/' },
      destination: { store: 'sea', bucket: 'dst', prefix: 'out/' },
    };
    return { bed, double, other, stores, across };
  }

  const sizes = [0, 1, 16 * MiB, 16 * MiB + 1, 70 * MiB + 5, 33 * MiB];
  const generated = sizes.map((size, n) => ({ bucket: 'src', key: `in/${n}`, size, seed: n + 1 }));

  test('every byte arrives, in parts where it is large, also when parts have to be sent again', async () => {
    const { bed, double, other, stores, across } = await startTwo({ generated });
    other.double.setFaults([
      { operation: 'UploadPart', kind: 'resetAfter', after: 2, times: 2 },
      { operation: 'PutObject', key: 'out/', kind: 'resetAfter', times: 1 },
    ]);
    double.setFaults([{ operation: 'GetObject', bucket: 'src', kind: 'reset', after: 3, times: 2 }]);
    const { code, manifest } = await bed.run(across, { stores });
    expect({ code, result: manifest?.copy }).toMatchObject({ code: 0, result: { copied: sizes.length } });
    const [from, to] = [double.store.bucket('src'), other.double.store.bucket('dst')];
    for (const n of sizes.keys())
      expect(sumOf(to.get(`out/${n}`)?.content)).toBe(sumOf(from.get(`in/${n}`)?.content));
    expect(to.uploads.size).toBe(0);
  });

  test('a source that changes between its parts is not put together', async () => {
    const { bed, double, other, stores, across } = await startTwo({ generated: generated.slice(4, 5) });
    double.setFaults([{ operation: 'GetObject', bucket: 'src', kind: 'changeSource', after: 2, times: 1 }]);
    const { manifest } = await bed.run({ ...across, maxFailures: 1 }, { stores });
    expect(manifest?.copy).toMatchObject({ copied: 0, failed: 1 });
    expect(other.double.store.bucket('dst').keys).toEqual([]);
    expect(other.double.store.bucket('dst').uploads.size).toBe(0);
  });
});

describe('If-None-Match, where something may come into being at a destination', () => {
  const whole = { bucket: 'src', key: 'in/whole', size: 4096, seed: 1 };
  const large = { bucket: 'src', key: 'in/large', size: 12 * MiB, seed: 2 };
  const all = ['copyIfNoneMatch', 'putIfNoneMatch', 'completeIfNoneMatch'] as const;
  const ways = [
    ['ServerSide', whole],
    ['ServerSide', large],
    ['Stream', whole],
    ['Stream', { ...large, size: 17 * MiB }],
  ] as const;

  /** Plans, and copies in another pod, before which something is at the destination. */
  async function copyOver(setup: DoubleSetup, transfer: 'ServerSide' | 'Stream', key: string) {
    const { bed, double } = await start(setup);
    const stage: CopyStage = { ...copy, transfer, multipartThreshold: '5Mi', maxFailures: 1 };
    double.setFaults([
      { kind: 'answer', operation: 'PutObject', key: '/ledger/', status: 403, code: 'AccessDenied' },
    ]);
    await bed.run(stage);
    double.setFaults([]);
    await seed(bed.client, 'dst', [[key, 'from somebody else']]);
    return { ...(await bed.run(stage)), bed, double };
  }

  test.each(ways)('%s of %o: what came into being meanwhile stays', async (transfer, object) => {
    const key = object.key.replace('in/', 'out/');
    const { manifest, bed, double } = await copyOver({ generated: [object] }, transfer, key);
    expect(manifest?.copy).toMatchObject({ planned: 1, copied: 0, failed: 1 });
    expect(await bed.ledgerRows()).toMatchObject([{ error: expect.stringContaining('DestinationExists') }]);
    expect(double.store.bucket('dst').get(key)?.content.size).toBe(18);
    expect(double.store.bucket('dst').uploads.size).toBe(0);
  });

  test.each(ways)('%s of %o: a store that does not implement it is not asked', async (transfer, object) => {
    const { bed } = await start({});
    // The results are elsewhere: they cannot do without it.
    const { server } = await startDoubleServer({
      buckets: ['src', 'dst'],
      generated: [object],
      refused: [...all],
    });
    toStop.push(() => server.stop());
    const { endpoint } = server;
    const stores = [{ name: 'lake', endpoint, region: 'us-east-1', addressing: 'Path' }] as const;
    const stage: CopyStage = { ...copy, transfer, multipartThreshold: '5Mi' };
    const { code, manifest } = await bed.run(stage, { stores });
    expect({ code, copy: manifest?.copy }).toMatchObject({ code: 0, copy: { copied: 1, failed: 0 } });
  });

  test.each([
    ['the key is taken', [{ kind: 'answer', status: 412, code: 'PreconditionFailed', after: 1, times: 1 }]],
    ['there is no such upload', []],
  ] as const)('an upload whose answer was lost is known by its ETag, where then %s', async (_name, then) => {
    const { bed, double } = await start({ generated: [large] });
    const lost = { operation: 'CompleteMultipartUpload', key: 'out/large' } as const;
    double.setFaults([
      { ...lost, kind: 'resetAfter', times: 1 },
      ...then.map((fault) => ({ ...lost, ...fault })),
    ]);
    const { manifest } = await bed.run({ ...copy, multipartThreshold: '5Mi' });
    expect(manifest?.copy).toMatchObject({ copied: 1, failed: 0 });
    expect(double.stats().requests['UploadPartCopy']).toBe(3);
  });
});

describe('uploads that a killed worker left behind', () => {
  test('are aborted by the next one, and nobody else’s', async () => {
    const generated = [0, 1, 2].map((n) => ({ bucket: 'src', key: `in/${n}`, size: 12 * MiB, seed: n + 1 }));
    const { bed, double } = await start({ generated });
    const foreign = await createMultipart(bed.client, { bucket: 'dst', key: 'out/foreign' }, patientSignal);
    const older = await createMultipart(bed.client, { bucket: 'dst', key: 'out/1' }, patientSignal);
    double.setFaults([{ operation: 'UploadPartCopy', kind: 'stall', after: 2 }]);
    const inParts = { ...copy, multipartThreshold: '5Mi' };
    const child = await bed.spawn(inParts);
    const { uploads } = double.store.bucket('dst');
    await vi.waitFor(() => expect(uploads.size).toBe(5), { timeout: 120_000 });
    child.kill('SIGKILL');
    await once(child, 'exit');
    double.setFaults([]);
    expect((await bed.run(inParts)).code).toBe(0);
    expect([...uploads.keys()].toSorted()).toEqual([foreign.uploadId, older.uploadId].toSorted());
    const [from, to] = [double.store.bucket('src'), double.store.bucket('dst')];
    for (const n of [0, 1, 2])
      expect(to.get(`out/${n}`)?.content.describe()).toBe(from.get(`in/${n}`)?.content.describe());
  });

  test('a worker that gives up leaves none', async () => {
    const generated = [{ bucket: 'src', key: 'in/0', size: 12 * MiB, seed: 1 }];
    const { bed, double } = await start({ generated });
    double.setFaults([{ operation: 'UploadPartCopy', kind: 'answer' }]);
    expect((await bed.run({ ...copy, multipartThreshold: '5Mi' })).code).not.toBe(0);
    // One of them is the probe's.
    expect(double.stats().requests['CreateMultipartUpload']).toBe(2);
    expect(double.store.bucket('dst').uploads.size).toBe(0);
  });

  test('an upload that could not be aborted at once is aborted at the end', async () => {
    const generated = [0, 1].map((n) => ({ bucket: 'src', key: `in/${n}`, size: 12 * MiB, seed: n + 1 }));
    const { bed, double } = await start({ generated });
    double.setFaults([
      { operation: 'UploadPartCopy', key: 'out/0', kind: 'answer', status: 400, code: 'InvalidRequest' },
      { operation: 'AbortMultipartUpload', kind: 'answer', status: 400, code: 'InvalidRequest', times: 1 },
    ]);
    const { manifest } = await bed.run({ ...copy, multipartThreshold: '5Mi', maxFailures: 1 });
    expect(manifest?.copy).toMatchObject({ copied: 1, failed: 1 });
    expect(double.store.bucket('dst').uploads.size).toBe(0);
  });
});
