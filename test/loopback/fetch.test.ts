import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EXIT } from '../../workers/contract/exitcodes.ts';
import { formatLedgerRow, type LedgerRow } from '../../workers/contract/ledger.ts';
import { packLines } from '../../workers/copy/frames.ts';
import type { S3Client } from '../../workers/s3/client.ts';
import { runFetch } from '../../workers/train/fetch.ts';
import { clientOf, empty, listAll, seed } from '../support/copybed.ts';
import { provideShim } from '../support/shimbinary.ts';
import { TrainBed } from '../support/trainbed.ts';
import { operationOf, startProxy, type S3Proxy } from '../support/s3proxy.ts';
import { startGateway, type Gateway } from '../support/versitygw.ts';

const bucket = 'fetch-lake';
const someSha = '0'.repeat(64);
let gateway: Gateway;
let client: S3Client;
let shim = '';
let bed: TrainBed;
let input = '';

beforeAll(async () => {
  shim = await provideShim();
  gateway = await startGateway();
  await gateway.createBucket(bucket);
  client = clientOf(gateway);
}, 600_000);
afterAll(async () => {
  await client?.close();
  await gateway?.stop();
});
beforeEach(async () => {
  bed = await TrainBed.create(shim, gateway);
  input = join(bed.folder, 'in');
});
afterEach(async () => {
  await bed.stop();
  await empty(client, bucket);
});

/** Every file below a directory with its content. */
async function tree(directory: string): Promise<Record<string, string>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files: Record<string, string> = {};
  for (const entry of entries.filter((candidate) => candidate.isFile())) {
    const path = join(entry.parentPath, entry.name);
    files[path.slice(directory.length + 1)] = await readFile(path, 'utf8');
  }
  return files;
}

const fetchLocation = (prefix: string, of = bucket): Promise<number> =>
  runFetch(bed.host({ inputs: [{ directory: input, location: { store: 'lake', bucket: of, prefix } }] }));
const fetchStage = (stage: string): Promise<number> =>
  runFetch(bed.host({ inputs: [{ directory: input, stage }] }));

async function expectInputFailed(words: string, reason = 'InputFailed'): Promise<void> {
  const said = await bed.termination();
  expect(said).toMatchObject({ reason });
  expect(JSON.stringify(said)).toContain(words);
}

describe('fetch', () => {
  test('installs the shim so that any user can run it', async () => {
    expect(await runFetch(bed.host({}))).toBe(EXIT.ok);
    const installed = join(bed.folder, 'bin/shim');
    expect((await stat(installed)).mode & 0o777).toBe(0o755);
    expect(await readFile(installed)).toEqual(await readFile(shim));
  });

  test('puts the objects below a prefix where the command looks for them', async () => {
    const large = 'x'.repeat(3_000_000);
    const names = ['a.txt', 'label=3/x.png', 'a b+%?#&=\'"<>{}~ü.txt', 'deep/er/and/deeper', 'large'];
    await seed(client, bucket, [
      ...names.map((name) => [`digits/${name}`, name === 'large' ? large : name] as const),
      ['other/not-mine', 'no'],
      ['digits/empty', ''],
      ['digits/marker/', ''],
    ]);
    await writeFile(join(input, 'left-over'), 'of an earlier try');
    expect(await fetchLocation('digits/')).toBe(EXIT.ok);
    const expected = Object.fromEntries(names.map((name) => [name, name === 'large' ? large : name]));
    expect(await tree(input)).toEqual({ ...expected, empty: '' });
    expect((await stat(join(input, 'a.txt'))).mode & 0o777).toBe(0o644);
  });

  test('more objects than a page has', async () => {
    await seed(
      client,
      bucket,
      Array.from({ length: 1_203 }, (_, n) => [`many/${n}`, String(n)] as const),
    );
    expect(await fetchLocation('many/')).toBe(EXIT.ok);
    const files = await tree(input);
    expect(Object.keys(files)).toHaveLength(1_203);
    expect(files['1202']).toBe('1202');
  });

  test('an empty prefix and a missing bucket are named', async () => {
    expect(await fetchLocation('nothing/')).toBe(EXIT.inputFailed);
    await expectInputFailed(`no object under ${bucket}/nothing/`);
    expect(await fetchLocation('', 'no-such-bucket')).toBe(EXIT.inputFailed);
    await expectInputFailed('bucket no-such-bucket does not exist');
  });

  test('wrong and missing credentials are the fault of the store', async () => {
    await seed(client, bucket, [['digits/a', 'a']]);
    await writeFile(join(bed.folder, 'secret/AWS_SECRET_ACCESS_KEY'), 'wrong');
    expect(await fetchLocation('digits/')).toBe(EXIT.inputFailed);
    await expectInputFailed('SignatureDoesNotMatch', 'StoreUnavailable');
    await writeFile(join(bed.folder, 'secret/AWS_SECRET_ACCESS_KEY'), '');
    expect(await fetchLocation('digits/')).toBe(EXIT.inputFailed);
    await expectInputFailed('AWS_SECRET_ACCESS_KEY', 'StoreUnavailable');
    expect(JSON.stringify(bed.lines)).not.toContain('test-secret');
  });

  test('a store that is not there is unavailable', async () => {
    await bed.stop();
    const endpoint = 'http://127.0.0.1:9';
    bed = await TrainBed.create(shim, { ...gateway, endpoint });
    input = join(bed.folder, 'in');
    expect(await fetchLocation('digits/')).toBe(EXIT.unavailable);
    await expectInputFailed('ECONNREFUSED', 'StoreUnavailable');
  });

  describe('through a store that misbehaves', () => {
    let proxy: S3Proxy;
    beforeEach(async () => {
      proxy = await startProxy(gateway.endpoint);
      await bed.stop();
      bed = await TrainBed.create(shim, { ...gateway, endpoint: proxy.endpoint });
      input = join(bed.folder, 'in');
      await seed(client, bucket, [['digits/a', 'content']]);
    });
    afterEach(() => proxy.stop());

    const location = { store: 'lake', bucket, prefix: 'digits/' };
    const patient = (): Promise<number> =>
      runFetch(bed.host({ inputs: [{ directory: input, location }] }, { store: 20_000 }));

    test.each(['ListObjectsV2', 'GetObject'])(
      '%s is tried again for as long as a store may restart',
      async (name) => {
        let failures = 8;
        proxy.onRequest = (request) => {
          if (operationOf(request) !== name || failures === 0) return 'pass';
          failures -= 1;
          return { status: 503, body: '<Error><Code>ServiceUnavailable</Code></Error>' };
        };
        expect(await patient()).toBe(EXIT.ok);
        expect(await tree(input)).toEqual({ a: 'content' });
      },
    );

    test.each(['ListObjectsV2', 'GetObject'])(
      'SIGTERM ends a %s that gets no answer at once',
      async (name) => {
        const asked = Promise.withResolvers<undefined>();
        proxy.onRequest = (request) => {
          if (operationOf(request) !== name) return 'pass';
          asked.resolve(undefined);
          return new Promise(() => undefined);
        };
        const ended = patient();
        await asked.promise;
        bed.terminate();
        expect(await ended).toBe(EXIT.terminated);
        expect(await bed.termination()).toBeNull();
      },
    );
  });

  test('takes the outputs of a stage', async () => {
    await seed(client, bucket, [['models/m/net.npz', 'weights']]);
    const [object] = await listAll(client, bucket);
    const file = {
      path: 'net.npz',
      store: 'lake',
      bucket,
      key: 'models/m/net.npz',
      size: 7,
      etag: object?.etag,
    };
    const uid = '00000000-0000-4000-8000-000000000000';
    put(`earlier/0/${uid}.0/outputs.json`, {
      version: 1,
      stage: 'earlier',
      index: 0,
      podUID: uid,
      files: [file],
    });
    expect(await fetchStage('earlier')).toBe(EXIT.ok);
    expect(await tree(input)).toEqual({ 'net.npz': 'weights' });
    await seed(client, bucket, [['models/m/net.npz', 'changed']]);
    expect(await fetchStage('earlier')).toBe(EXIT.inputFailed);
    await expectInputFailed('was changed');
  });

  test.each([
    ['../run/exit.json', 'leave its directory'],
    ['/etc/cron.d/x', 'absolute'],
    ['a/../../b', 'leave its directory'],
  ])('a manifest that names %j writes nothing outside', async (path, words) => {
    const uid = '00000000-0000-4000-8000-000000000000';
    await seed(client, bucket, [['k', 'x']]);
    const files = [{ path, store: 'lake', bucket, key: 'k', size: 1, etag: '' }];
    put(`earlier/0/${uid}.0/outputs.json`, { version: 1, stage: 'earlier', index: 0, podUID: uid, files });
    expect(await fetchStage('earlier')).toBe(EXIT.inputFailed);
    await expectInputFailed(words);
    expect(await tree(join(bed.folder, 'run'))).toEqual({});
  });

  test('takes what a copy stage left at its destination, whatever became of each row', async () => {
    await seed(client, bucket, [
      ['digits/label=1/a', 'A'],
      ['digits/label=2/b', 'BB'],
      ['digits/label=3/c', 'CCC'],
      ['digits/label=5/e', 'EEEE'],
      ['digits/older', 'not of this stage'],
    ]);
    const etags = new Map((await listAll(client, bucket)).map(({ key, etag }) => [key, etag]));
    const row = (n: number, outcome: LedgerRow['outcome'], key: string, size: number): string =>
      formatLedgerRow({
        row: n,
        outcome,
        source: `raw/${n}`,
        sourceEtag: 'e',
        size,
        destination: key,
        destinationEtag: outcome === 'Failed' ? '' : (etags.get(key) ?? ''),
        time: 0,
      });
    const first = [row(0, 'Copied', 'digits/label=1/a', 1), row(1, 'Failed', 'digits/label=2/b', 2)];
    const second = [
      row(1, 'Copied', 'digits/label=2/b', 2),
      row(2, 'Skipped', 'digits/label=3/c', 3),
      row(3, 'Failed', 'digits/label=4/d', 4),
      row(0, 'Copied', 'digits/label=1/a', 1),
    ];
    const segment = (seq: number): string =>
      `arrange/ledger/0/00000000-0000-4000-8000-00000000000${seq}-000000.zst`;
    bed.double.objects.set(segment(1), await packLines(first));
    bed.double.objects.set(segment(2), await packLines(second));
    const segments = [1, 2].map((seq) => ({ key: segment(seq), rows: 2, sha256: someSha }));
    const counts = { rows: 4, copied: 2, skipped: 1, unchanged: 0, failed: 1, bytes: 3 };
    const done = { version: 1, shard: 0, ...counts, segments };
    put('arrange/plan/index.json', planIndex());
    expect(await fetchStage('arrange')).toBe(EXIT.inputFailed);
    await expectInputFailed('arrange/ledger/0/done.json is missing');
    put('arrange/ledger/0/done.json', done);
    expect(await fetchStage('arrange')).toBe(EXIT.inputFailed);
    await expectInputFailed('arrange/ledger/2/done.json is missing');
    // The shard of another worker, with the empty segment that every pod begins with.
    const others = [0, 1].map(
      (seq) => `arrange/ledger/2/00000000-0000-4000-8000-000000000003-00000${seq}.zst`,
    );
    bed.double.objects.set(others[0] ?? '', await packLines([]));
    bed.double.objects.set(others[1] ?? '', await packLines([row(0, 'Copied', 'digits/label=5/e', 4)]));
    put('arrange/ledger/2/done.json', {
      ...done,
      shard: 2,
      rows: 1,
      segments: others.map((key, rows) => ({ key, rows, sha256: someSha })),
    });
    expect(await fetchStage('arrange')).toBe(EXIT.ok);
    expect(await tree(input)).toEqual({
      'label=1/a': 'A',
      'label=2/b': 'BB',
      'label=3/c': 'CCC',
      'label=5/e': 'EEEE',
    });
  });

  test('a stage that stored nothing, and two objects for one file, are refused', async () => {
    expect(await fetchStage('earlier')).toBe(EXIT.inputFailed);
    await expectInputFailed('stage earlier has stored nothing');
    const uid = (n: number): string => `00000000-0000-4000-8000-00000000000${n}`;
    for (const index of [0, 1]) {
      const files = [{ path: 'm', store: 'lake', bucket, key: `k${index}`, size: 1, etag: '' }];
      const manifest = { version: 1, stage: 'earlier', index, podUID: uid(index), files };
      put(`earlier/${index}/${uid(index)}.0/outputs.json`, manifest);
    }
    expect(await fetchStage('earlier')).toBe(EXIT.inputFailed);
    await expectInputFailed('two objects want to be the file');
  });

  test('a key that makes a directory of another key says so', async () => {
    const uid = '00000000-0000-4000-8000-000000000000';
    await seed(client, bucket, [['k', 'x']]);
    const files = ['a', 'a/b'].map((path) => ({ path, store: 'lake', bucket, key: 'k', size: 1, etag: '' }));
    put(`earlier/0/${uid}.0/outputs.json`, { version: 1, stage: 'earlier', index: 0, podUID: uid, files });
    expect(await fetchStage('earlier')).toBe(EXIT.inputFailed);
    await expectInputFailed('cannot be a file');
  });

  test('what a link in the input directory points to is left alone', async () => {
    const elsewhere = join(bed.folder, 'elsewhere');
    await mkdir(elsewhere);
    await writeFile(join(elsewhere, 'kept'), 'kept');
    await symlink(elsewhere, join(input, 'digits'));
    await seed(client, bucket, [['p/digits/a', 'new']]);
    expect(await fetchLocation('p/')).toBe(EXIT.ok);
    expect(await tree(elsewhere)).toEqual({ kept: 'kept' });
    expect(await tree(input)).toEqual({ 'digits/a': 'new' });
  });
});

function put(key: string, document: unknown): void {
  bed.double.objects.set(key, Buffer.from(JSON.stringify(document)));
}

function planIndex(): unknown {
  return {
    version: 1,
    time: '2026-01-01T00:00:00.000Z',
    source: { store: 'lake', bucket: 'raw', prefix: '' },
    destination: { store: 'lake', bucket, prefix: 'digits/' },
    keyEquivalence: 'Exact',
    transfer: 'ServerSide',
    guards: {
      sourcePinned: true,
      createOnly: true,
      putCreateOnly: true,
      completeCreateOnly: true,
      deleteIfMatch: false,
    },
    listed: 4,
    unmatched: 0,
    rows: 4,
    toCopy: 3,
    skipped: 1,
    unchanged: 0,
    renamed: 4,
    bytes: 7,
    workers: 2,
    // Not 1: a planner that died had taken it.
    shards: [
      { shard: 0, index: 0, rows: 4, bytes: 7, sha256: someSha },
      { shard: 2, index: 1, rows: 1, bytes: 4, sha256: someSha },
    ],
  };
}
