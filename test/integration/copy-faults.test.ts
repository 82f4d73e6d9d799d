import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EXIT } from '../../workers/contract/exitcodes.ts';
import { deadLetter, shardDone } from '../../workers/contract/ledger.ts';
import { unpackLines } from '../../workers/copy/frames.ts';
import { deleteObject, putObject } from '../../workers/s3/objects.ts';
import { clientOf, contents, CopyBed, listAll, patientSignal, seed } from '../support/copybed.ts';
import { provideBuckets } from '../support/copyworld.ts';
import { startJudge } from '../support/judge.ts';
import {
  isProbe,
  operationOf,
  startProxy,
  type Fault,
  type PassingRequest,
  type S3Proxy,
} from '../support/s3proxy.ts';
import type { S3Server } from '../support/s3server.ts';

let gateway: S3Server;
let proxy: S3Proxy;
let bed: CopyBed;
let from = '';
let to = '';

const buckets = provideBuckets(startJudge, async (server) => {
  await server.createBucket('results');
  await server.createBucket('many');
  const client = clientOf(server);
  await seed(
    client,
    'many',
    Array.from({ length: 1_010 }, (_, n) => [`k${n}`, 'x'] as const),
  );
  await client.close();
});
beforeEach(async () => {
  ({ server: gateway, from, to } = buckets);
  proxy = await startProxy(gateway.endpoint);
  bed = await CopyBed.create(gateway, 'results', proxy.endpoint);
});
afterEach(async () => {
  await bed.stop();
  await proxy.stop();
});

const twenty = Array.from({ length: 20 }, (_, n) => [`k${n}`, `content ${n}`] as const);

function stage(extra: object = {}) {
  return { source: { store: 'lake', bucket: from }, destination: { store: 'lake', bucket: to }, ...extra };
}

function copyOf(request: PassingRequest): string | undefined {
  const copying = operationOf(request) === 'CopyObject' && !isProbe(request);
  return copying ? decodeURIComponent(request.url.split('/').at(-1) ?? '') : undefined;
}

function errorBody(code: string): string {
  return `<?xml version="1.0"?><Error><Code>${code}</Code><Message>test</Message></Error>`;
}

describe('faults that pass', () => {
  test.each<[string, Fault]>([
    ['an error inside a 200', { status: 200, body: errorBody('InternalError') }],
    ['SlowDown inside a 200', { status: 200, body: errorBody('SlowDown') }],
    ['an empty 200', { status: 200, body: '' }],
    ['a 503', { status: 503, body: errorBody('SlowDown') }],
    ['a 500 without words', { status: 500, body: '' }],
    ['a connection that breaks', 'reset'],
    ['a reply that is lost after the copy was made', 'lose'],
  ])('%s, once per object', async (_name, fault) => {
    await seed(bed.client, from, twenty);
    const met = new Set<string>();
    proxy.onRequest = (request) => {
      const key = copyOf(request);
      if (key === undefined || met.has(key)) return 'pass';
      met.add(key);
      return fault;
    };
    const ended = await bed.run(stage());
    expect(ended.manifest?.message).toBeUndefined();
    expect(ended.manifest?.copy).toMatchObject({ copied: 20, failed: 0 });
    expect(met.size).toBe(20);
    expect(await contents(bed.client, to)).toEqual(new Map(twenty));
  });

  test.each<[string, Fault]>([
    ['an error', { status: 500, body: errorBody('InternalError') }],
    [
      'half a page',
      { status: 200, body: '<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>k' },
    ],
    ['an empty page', { status: 200, body: '' }],
    ['a broken connection', 'reset'],
  ])('a listing that meets %s goes on where it was', async (_name, fault) => {
    let pages = 0;
    proxy.onRequest = (request) => {
      if (!request.url.startsWith('/many?')) return 'pass';
      pages += 1;
      return pages === 2 ? fault : 'pass';
    };
    const ended = await bed.run(stage({ source: { store: 'lake', bucket: 'many' }, dryRun: true }));
    expect([pages, ended.manifest?.copy?.planned]).toEqual([3, 1_010]);
  });
});

describe('faults that do not pass', () => {
  test('a listing that cannot be finished is never taken for a short one', async () => {
    proxy.onRequest = (request) =>
      request.url.includes('continuation-token') ? { status: 500, body: errorBody('InternalError') } : 'pass';
    const ended = await bed.run(stage({ source: { store: 'lake', bucket: 'many' } }));
    expect(ended.code).toBe(EXIT.unavailable);
    expect(ended.manifest?.message).toContain('goes on failing: ListObjectsV2');
    expect(await listAll(bed.client, to)).toEqual([]);
  });

  test('one object that always fails is named; the others are copied', async () => {
    await seed(bed.client, from, twenty);
    proxy.onRequest = (request) =>
      copyOf(request) === 'k7' ? { status: 200, body: errorBody('InternalError') } : 'pass';
    const ended = await bed.run(stage());
    expect(ended.code).toBe(EXIT.tooManyFailures);
    expect(ended.manifest).toMatchObject({ reason: 'CopyFailed', copy: { copied: 19, failed: 1 } });
    expect(ended.manifest?.message).toMatch(
      /^1 of 20 objects failed, more than copy\.maxFailures 0: "k7": StoreError/,
    );
    expect(await listAll(bed.client, to)).toHaveLength(19);
    const [key = ''] = ended.manifest?.copy?.deadLetters ?? [];
    expect(key).toMatch(/^arrange\/ledger\/0\/[0-9a-f-]{36}-failed\.zst$/);
    const done = shardDone.parse(JSON.parse((await bed.result('arrange/ledger/0/done.json')).toString()));
    expect(done.deadLetters).toMatchObject({ key, rows: 1 });
    const lines = await unpackLines(await bed.result(key));
    expect(lines.map((line) => deadLetter.parse(JSON.parse(line)))).toMatchObject([
      { source: 'k7', destination: 'k7', error: expect.stringMatching(/^StoreError: /) },
    ]);
    // Another pod finds the shard closed, and names the same object.
    proxy.onRequest = () => 'pass';
    expect((await bed.run(stage())).manifest?.copy?.deadLetters).toEqual([key]);
  });

  test('within maxFailures the stage succeeds and says so', async () => {
    await seed(bed.client, from, twenty);
    proxy.onRequest = (request) =>
      copyOf(request) === 'k7' ? { status: 400, body: errorBody('Odd') } : 'pass';
    const ended = await bed.run(stage({ maxFailures: 1, mode: 'Move' }));
    expect(ended.code).toBe(EXIT.ok);
    expect(ended.manifest).toMatchObject({
      reason: 'CopiedWithFailures',
      copy: { copied: 19, moved: 19, failed: 1 },
    });
    expect([...(await contents(bed.client, from)).keys()]).toEqual(['k7']);
  });

  test('a store that fails every copy: another try may help', async () => {
    await seed(bed.client, from, twenty);
    proxy.onRequest = (request) =>
      copyOf(request) === undefined ? 'pass' : { status: 503, body: errorBody('SlowDown') };
    expect((await bed.run(stage())).code).toBe(EXIT.unavailable);
  });

  test('a redirect is not followed', async () => {
    await seed(bed.client, from, twenty);
    proxy.onRequest = (request) => (request.url.startsWith(`/${from}?`) ? { status: 307, body: '' } : 'pass');
    const ended = await bed.run(stage());
    expect(ended.code).toBe(EXIT.planRefused);
    expect(ended.manifest?.message).toContain('owns bucket');
  });

  test.each(['changed', 'deleted'] as const)(
    'a source %s between plan and copy is reported, not copied',
    async (how) => {
      await seed(bed.client, from, twenty);
      let met = false;
      proxy.onRequest = async (request): Promise<Fault> => {
        if (copyOf(request) !== 'k7' || met) return 'pass';
        met = true;
        const key = { bucket: from, key: 'k7' };
        if (how === 'deleted') await deleteObject(bed.client, key, patientSignal);
        else await putObject(bed.client, { ...key, body: Buffer.from('CONTENT 7') }, patientSignal);
        return 'pass';
      };
      const ended = await bed.run(stage());
      expect(ended.code).toBe(EXIT.tooManyFailures);
      expect(ended.manifest?.message).toContain('"k7": SourceChanged: the source object is not what it was');
      // A store that ignores the pin has made a copy, of what the source is now; it counts as none.
      const made = how === 'changed' && !gateway.capabilities.sourcePinned;
      expect((await contents(bed.client, to)).get('k7')).toBe(made ? 'CONTENT 7' : undefined);
      expect(await listAll(bed.client, to)).toHaveLength(made ? 20 : 19);
    },
  );

  test('a source that changes between the parts of one object is never mixed', async () => {
    const before = Buffer.alloc(11 * 1024 ** 2, 'a');
    await putObject(bed.client, { bucket: from, key: 'large', body: before }, patientSignal);
    let parts = 0;
    proxy.onRequest = async (request): Promise<Fault> => {
      if (operationOf(request) !== 'UploadPartCopy') return 'pass';
      parts += 1;
      if (parts === 2) {
        const body = Buffer.alloc(11 * 1024 ** 2, 'b');
        await putObject(bed.client, { bucket: from, key: 'large', body }, patientSignal);
      }
      return 'pass';
    };
    const ended = await bed.run(stage({ multipartThreshold: '5Mi' }));
    expect(ended.code).toBe(EXIT.tooManyFailures);
    expect(ended.manifest?.message).toContain('SourceChanged');
    expect(await listAll(bed.client, to)).toEqual([]);
    expect(proxy.seen.some((request) => operationOf(request) === 'AbortMultipartUpload')).toBe(true);
  });

  test('a Move keeps sources that changed after they were copied', async () => {
    await seed(bed.client, from, twenty);
    let met = false;
    proxy.onRequest = async (request): Promise<Fault> => {
      const deleting =
        ['HeadObject', 'DeleteObject'].includes(operationOf(request)) && request.url === `/${from}/k7`;
      if (!deleting || met) return 'pass';
      met = true;
      await putObject(bed.client, { bucket: from, key: 'k7', body: Buffer.from('CONTENT 7') }, patientSignal);
      return 'pass';
    };
    const ended = await bed.run(stage({ mode: 'Move' }));
    expect(met).toBe(true);
    expect(ended.code).toBe(EXIT.tooManyFailures);
    expect(ended.manifest?.copy).toMatchObject({ copied: 20, moved: 19, failed: 1 });
    expect(await contents(bed.client, from)).toEqual(new Map([['k7', 'CONTENT 7']]));
  });
});
