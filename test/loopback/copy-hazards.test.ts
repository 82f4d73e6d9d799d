/** The copy stage where an object could be lost, or be blamed for what is not its fault. */
import { afterEach, describe, expect, test } from 'vitest';
import type { CopyStage } from '../../operator/api/copystage.ts';
import { EXIT } from '../../workers/contract/exitcodes.ts';
import { CopyBed, contents, seed } from '../support/copybed.ts';
import { startDoubleServer } from '../support/s3double/bed.ts';
import { Bytes } from '../support/s3double/content.ts';
import type { S3Double } from '../support/s3double/server.ts';

const toStop: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).toReversed()) await stop();
});

async function start(): Promise<{ readonly bed: CopyBed; readonly double: S3Double }> {
  const { double, server } = await startDoubleServer({ buckets: ['results', 'src', 'dst'] });
  toStop.push(() => server.stop());
  const bed = await CopyBed.create(server, 'results');
  toStop.push(() => bed.stop());
  return { bed, double };
}

const copy: CopyStage = {
  source: { store: 'lake', bucket: 'src', prefix: 'in/' },
  destination: { store: 'lake', bucket: 'dst', prefix: 'out/' },
};
const keys = Array.from({ length: 20 }, (_, n) => `object-${n}`);
const objects = keys.map((key) => [`in/${key}`, `of ${key}`] as const);
const copies = new Map(keys.map((key) => [`out/${key}`, `of ${key}`]));

describe('somebody else writes to a destination key after the copy was planned', () => {
  /** Plans and begins, but copies nothing. */
  async function begin(stage: CopyStage) {
    const { bed, double } = await start();
    await seed(bed.client, 'src', objects);
    double.setFaults([{ operation: 'CopyObject', key: 'out/object', kind: 'answer' }]);
    expect((await bed.run(stage)).code).toBe(EXIT.unavailable);
    double.setFaults([]);
    await seed(bed.client, 'dst', [['out/object-3', 'of others']]);
    return bed;
  }

  test('a worker that goes on from the ledger does not write over it', async () => {
    const stage = { ...copy, maxFailures: 1 };
    const bed = await begin(stage);
    expect((await bed.run(stage)).manifest?.copy).toMatchObject({ copied: 19, failed: 1 });
    const failed = (await bed.ledgerRows()).filter(({ outcome }) => outcome === 'Failed');
    expect(failed).toMatchObject([{ error: expect.stringContaining('DestinationExists') }]);
    expect(await contents(bed.client, 'dst')).toEqual(new Map([...copies, ['out/object-3', 'of others']]));
  });

  test('it does where it is to overwrite', async () => {
    const stage = { ...copy, onExisting: 'Overwrite' } as const;
    const bed = await begin(stage);
    expect((await bed.run(stage)).code).toBe(0);
    expect(await contents(bed.client, 'dst')).toEqual(copies);
  });
});

describe('Move', () => {
  const move: CopyStage = { ...copy, mode: 'Move', maxFailures: 1 };

  test('keeps the source of a copy that somebody else wrote over', async () => {
    const { bed, double } = await start();
    await seed(bed.client, 'src', objects);
    double.setFaults([{ operation: 'DeleteObject', bucket: 'src', kind: 'answer' }]);
    expect((await bed.run(move)).code).toBe(EXIT.unavailable);
    double.setFaults([]);
    await seed(bed.client, 'dst', [['out/object-3', 'OF OBJECT-3']]);
    expect((await bed.run(move)).manifest?.copy).toMatchObject({ copied: 20, moved: 19, failed: 1 });
    expect([...(await contents(bed.client, 'src')).keys()]).toEqual(['in/object-3']);
  });

  test('takes a source for moved that is gone, whatever the store calls that', async () => {
    const { bed, double } = await start();
    await seed(bed.client, 'src', objects);
    const refused = { operation: 'DeleteObject', bucket: 'src', kind: 'answer' } as const;
    double.setFaults([refused]);
    expect((await bed.run(move)).code).toBe(EXIT.unavailable);
    double.store.delete(double.store.bucket('src'), 'in/object-3');
    double.setFaults([{ ...refused, key: 'object-3', status: 412, code: 'PreconditionFailed' }]);
    expect((await bed.run(move)).manifest?.copy).toMatchObject({ moved: 20, failed: 0 });
  });

  test('loses nothing where the destination is another name of the source’s bucket', async () => {
    const { bed, double } = await start();
    double.store.alias('access-point', 'src');
    await seed(bed.client, 'src', objects);
    const destination = { store: 'lake', bucket: 'access-point', prefix: 'in/' };
    expect((await bed.run({ ...move, destination })).manifest?.copy).toMatchObject({
      unchanged: 20,
      moved: 0,
    });
    expect(await contents(bed.client, 'src')).toEqual(new Map(objects));
  });

  test('needs no right to see more of the source’s bucket than its prefix', async () => {
    const { bed, double } = await start();
    await seed(bed.client, 'src', objects);
    const denied = { kind: 'answer', status: 403, code: 'AccessDenied' } as const;
    double.setFaults([{ ...denied, operation: 'HeadObject', bucket: 'src', key: '.ebbflow-probe-' }]);
    expect((await bed.run(move)).manifest?.copy).toMatchObject({ copied: 20, moved: 20 });
    expect(await contents(bed.client, 'dst')).toEqual(copies);
  });
});

describe('somebody else writes as many bytes to a destination key while it is copied to', () => {
  const etag = `${'0123456789abcdef'.repeat(2)}-2`;
  const bytes = new Bytes(Buffer.from('in two parts'));

  /** With a source that was uploaded in parts, so that its copy has another ETag. */
  async function startWithParts(headers: Record<string, string> = {}) {
    const { bed, double } = await start();
    double.store.write(double.store.bucket('src'), {
      key: 'in/a',
      content: bytes,
      etag,
      headers,
      tagging: '',
    });
    return { bed, double, sourceKeys: () => double.store.bucket('src').keys };
  }

  test('what is there after the copy is not taken for it, and the source of a move stays', async () => {
    const { bed, double, sourceKeys } = await startWithParts();
    double.setFaults([
      { operation: 'HeadObject', bucket: 'dst', key: 'out/a', kind: 'changeSource', times: 1 },
    ]);
    const { manifest } = await bed.run({ ...copy, mode: 'Move', maxFailures: 1 });
    expect(manifest?.copy).toMatchObject({ copied: 0, moved: 0, failed: 1 });
    expect(await bed.ledgerRows()).toMatchObject([{ error: expect.stringContaining('CopyReplaced') }]);
    expect(sourceKeys()).toEqual(['in/a']);
  });

  test('what came just before the first copy stays, though its ETag cannot tell', async () => {
    const { bed, double } = await startWithParts();
    double.setFaults([{ operation: 'CopyObject', key: 'out/a', kind: 'intrude', times: 1 }]);
    const { manifest } = await bed.run({ ...copy, maxFailures: 1 });
    expect(manifest?.copy).toMatchObject({ copied: 0, failed: 1 });
    expect(await bed.ledgerRows()).toMatchObject([{ error: expect.stringContaining('DestinationExists') }]);
    expect((await contents(bed.client, 'dst')).get('out/a')).not.toBe('in two parts');
  });

  test('what is there after an answer was lost may be ours, and is written again', async () => {
    const { bed, double } = await startWithParts();
    double.setFaults([{ operation: 'CopyObject', key: 'out/a', kind: 'resetAfter', times: 1 }]);
    expect((await bed.run(copy)).manifest?.copy).toMatchObject({ copied: 1, failed: 0 });
    expect(await contents(bed.client, 'dst')).toEqual(new Map([['out/a', 'in two parts']]));
  });

  test.each([
    ['another checksum is not ours', 'BBBBBBBBBBA=', 'Failed', expect.stringContaining('DestinationExists')],
    ['the same checksum is as good as a copy', 'AAAAAAAAAAA=', 'Copied', undefined],
  ])('what is there when a worker goes on, with %s', async (_name, there, outcome, error) => {
    const checksum = (value: string) => ({ 'x-amz-checksum-crc64nvme': value });
    const { bed, double } = await startWithParts(checksum('AAAAAAAAAAA='));
    double.setFaults([{ operation: 'CopyObject', key: 'out/a', kind: 'answer' }]);
    const stage = { ...copy, maxFailures: 1 };
    expect((await bed.run(stage)).code).toBe(EXIT.unavailable);
    const content = new Bytes(Buffer.from('IN TWO PARTS'));
    const made = { key: 'out/a', content, headers: checksum(there), tagging: '' };
    double.store.write(double.store.bucket('dst'), made);
    // A copy would still fail with another error.
    expect((await bed.run(stage)).code).toBe(0);
    expect(await bed.ledgerRows()).toMatchObject([{ outcome, error }]);
  });
});

describe('a source with a key of its own', () => {
  test.each(['ServerSide', 'Stream'] as const)(
    'has an ETag that only looks like an MD5 sum: %s',
    async (transfer) => {
      const { bed, double } = await start();
      const headers = { 'x-amz-server-side-encryption': 'aws:kms' };
      const content = new Bytes(Buffer.from('secret'));
      const secret = { key: 'in/a', content, etag: '0123456789abcdef'.repeat(2), headers, tagging: '' };
      double.store.write(double.store.bucket('src'), secret);
      const { code, manifest } = await bed.run({ ...copy, transfer });
      expect({ code, copied: manifest?.copy?.copied }).toEqual({ code: 0, copied: 1 });
      expect(await contents(bed.client, 'dst')).toEqual(new Map([['out/a', 'secret']]));
    },
  );
});

test('a store that denies every copy ends the worker, also where some objects are there already', async () => {
  const { bed, double } = await start();
  await seed(bed.client, 'src', objects);
  await seed(bed.client, 'dst', [...copies].slice(0, 5));
  double.setFaults([
    { operation: 'CopyObject', key: 'out/object', kind: 'answer', status: 403, code: 'AccessDenied' },
  ]);
  const { manifest } = await bed.run({ ...copy, maxFailures: 20 });
  expect(manifest).toMatchObject({ reason: 'StoreUnavailable' });
  expect((await bed.ledgerRows()).filter(({ outcome }) => outcome === 'Failed')).toEqual([]);
});

describe('a copy of a single object, which its store always fails', () => {
  const one = { operation: 'CopyObject', key: 'out/object', kind: 'answer' } as const;

  test.each([
    [0, EXIT.tooManyFailures],
    [1, EXIT.ok],
  ])(
    'is tried by two workers and then called failed; with maxFailures %i the code is %i',
    async (most, code) => {
      const { bed, double } = await start();
      await seed(bed.client, 'src', objects.slice(0, 1));
      double.setFaults([one]);
      const stage = { ...copy, maxFailures: most };
      expect((await bed.run(stage)).code).toBe(EXIT.unavailable);
      expect(await bed.ledgerRows()).toEqual([]);
      const second = await bed.run(stage);
      expect(second.code).toBe(code);
      expect(second.manifest?.copy).toMatchObject({ planned: 1, copied: 0, failed: 1 });
      expect(second.manifest?.copy?.deadLetters).toHaveLength(1);
      expect(await bed.ledgerRows()).toMatchObject([{ error: expect.stringContaining('InternalError') }]);
      expect(await contents(bed.client, 'dst')).toEqual(new Map());
    },
  );

  test('is no failure of the object as long as the store copies nothing else either', async () => {
    const { bed, double } = await start();
    await seed(bed.client, 'src', objects.slice(0, 1));
    double.setFaults([one]);
    await bed.run(copy);
    double.setFaults([{ operation: 'CopyObject', kind: 'answer' }]);
    expect((await bed.run({ ...copy, maxFailures: 1 })).code).toBe(EXIT.unavailable);
    expect(await bed.ledgerRows()).toEqual([]);
    double.setFaults([]);
    expect((await bed.run(copy)).manifest?.copy).toMatchObject({ copied: 1, failed: 0 });
  });
});

test('many neighbours that always fail do not keep those behind them from being copied', async () => {
  const { bed, double } = await start();
  // More than are tried at a time and as many again: none of those behind is begun before the worker has had enough.
  const bad = Array.from({ length: 140 }, (_, n) => [`in/bad-${n}`, `${n}`] as const);
  await seed(bed.client, 'src', [...bad, ...objects]);
  double.setFaults([{ operation: 'CopyObject', key: 'out/bad', kind: 'answer' }]);
  const stage = { ...copy, maxFailures: bad.length };
  expect((await bed.run(stage)).code).toBe(EXIT.unavailable);
  expect(await bed.ledgerRows()).toEqual([]);
  const { code, manifest } = await bed.run(stage);
  expect({ code, copy: manifest?.copy }).toMatchObject({ code: EXIT.ok, copy: { copied: 20, failed: 140 } });
  expect(await contents(bed.client, 'dst')).toEqual(copies);
});

describe('a source that lists its objects and gives none', () => {
  test('is an outage, for however many workers; nothing is blamed on its objects', async () => {
    const { bed, double } = await start();
    await seed(bed.client, 'src', [...objects.slice(0, 10), ['in/empty', '']]);
    double.setFaults([{ operation: 'GetObject', bucket: 'src', kind: 'answer' }]);
    const stage: CopyStage = { ...copy, transfer: 'Stream', maxFailures: 20 };
    for (let worker = 0; worker < 3; worker += 1) expect((await bed.run(stage)).code).toBe(EXIT.unavailable);
    expect(await bed.ledgerRows()).toEqual([]);
    double.setFaults([]);
    expect((await bed.run(stage)).manifest?.copy).toMatchObject({ copied: 11, failed: 0 });
  });

  test('is none where it gives one of them, be it empty', async () => {
    const { bed, double } = await start();
    await seed(bed.client, 'src', [...objects.slice(0, 10), ['in/a-empty', '']]);
    double.setFaults([
      { operation: 'GetObject', bucket: 'src', key: 'in/object', kind: 'answer' },
      { operation: 'PutObject', key: 'out/a-empty', kind: 'answer' },
    ]);
    const stage: CopyStage = { ...copy, transfer: 'Stream', maxFailures: 20 };
    expect((await bed.run(stage)).code).toBe(EXIT.unavailable);
    expect((await bed.run(stage)).manifest?.copy).toMatchObject({ copied: 0, failed: 11 });
  });
});

describe('a store that goes away before the last objects are copied', () => {
  test('fails the worker and not the objects, so that the next one copies them', async () => {
    const { bed, double } = await start();
    await seed(bed.client, 'src', objects);
    double.setFaults([
      { operation: 'CopyObject', key: 'out/object', kind: 'reset', after: 10 },
      // Planned and swept before.
      { operation: 'ListObjectsV2', bucket: 'dst', kind: 'reset', after: 2 },
    ]);
    expect((await bed.run(copy)).code).toBe(EXIT.unavailable);
    expect((await bed.ledgerRows()).filter(({ outcome }) => outcome === 'Failed')).toEqual([]);
    double.setFaults([]);
    expect((await bed.run(copy)).manifest?.copy).toMatchObject({ copied: 20, failed: 0 });
    expect(await contents(bed.client, 'dst')).toEqual(copies);
  });
});
