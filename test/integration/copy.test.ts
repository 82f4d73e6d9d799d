import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { EXIT } from '../../workers/contract/exitcodes.ts';
import { parseTermination } from '../../workers/contract/termination.ts';
import { copyObject } from '../../workers/s3/copies.ts';
import { headObject, putObject } from '../../workers/s3/objects.ts';
import { contents, CopyBed, listAll, patientSignal, seed, type Ended } from '../support/copybed.ts';
import { provideBuckets } from '../support/copyworld.ts';
import { startJudge } from '../support/judge.ts';
import type { S3Server } from '../support/s3server.ts';
import { startGateway } from '../support/versitygw.ts';

let gateway: S3Server;
let bed: CopyBed;
let from = '';
let to = '';

const buckets = provideBuckets(startJudge, (server) => server.createBucket('results'));
beforeEach(async () => {
  ({ server: gateway, from, to } = buckets);
  bed = await CopyBed.create(gateway, 'results');
});
afterEach(async () => bed.stop());

const digits = [
  ['2026/0101/IMG_1_7.png', 'seven'],
  ['2026/0101/IMG_2_3.png', 'three'],
  ['2026/0102/IMG_1_7.png', 'another seven'],
] as const;
const renamedDigits = new Map([
  ['digits/label=3/0101-2.png', 'three'],
  ['digits/label=7/0101-1.png', 'seven'],
  ['digits/label=7/0102-1.png', 'another seven'],
]);
const rule = {
  match: '^(?<day>[^/]+)/IMG_(?<n>\\d+)_(?<label>\\d)\\.png$',
  replace: 'label={label}/{day}-{n}.png',
};

function stage(extra: object = {}) {
  return {
    source: { store: 'lake', bucket: from, prefix: '2026/' },
    destination: { store: 'lake', bucket: to, prefix: 'digits/' },
    rename: [rule],
    ...extra,
  };
}

/** Everything kept: from one bucket to the other. */
function plainStage(extra: object = {}) {
  return { source: { store: 'lake', bucket: from }, destination: { store: 'lake', bucket: to }, ...extra };
}

/** The message of a worker that refused its plan, the same in manifest and termination message. */
function refusal({ code, manifest, termination }: Ended): string {
  if (code !== EXIT.planRefused) return `exit code ${code}: ${manifest?.message}`;
  const said = parseTermination(termination);
  const same = said?.message === manifest?.message && said?.reason === manifest?.reason;
  return same ? (said?.message ?? '') : `${termination} is not ${JSON.stringify(manifest)}`;
}

/** Matches text that holds these parts one after the other. */
function inOrder(...parts: string[]): RegExp {
  return new RegExp(parts.map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('[^]*'));
}

/** Keys that a store which keeps objects as files cannot hold, or cannot list. */
const onlyWhereKeysAreExact = [
  'a//b',
  '/lead',
  '//',
  'trail/',
  './x',
  '../x',
  'x/../y',
  'x/./y',
  'x',
  'x/y',
  '.',
  '..',
  'x\u0001y',
  '\r',
  `${'s'.repeat(260)}/long`,
];

describe('a copy that works', () => {
  test('renames, records every row, and leaves a manifest', async () => {
    await seed(bed.client, from, digits);
    const ended = await bed.run(stage());
    expect(ended.lines.filter((line) => Number(line['level']) >= 40)).toEqual([]);
    expect(ended.code).toBe(EXIT.ok);
    expect(await contents(bed.client, to)).toEqual(renamedDigits);
    const counts = {
      planned: 3,
      copied: 3,
      renamed: 3,
      skipped: 0,
      unchanged: 0,
      moved: 0,
      failed: 0,
      bytes: 23,
    };
    expect(ended.manifest?.copy).toMatchObject(counts);
    expect(ended.manifest?.copy?.throttled).toBe(0);
    const keys = await bed.resultKeys();
    expect(keys).toEqual(
      expect.arrayContaining(['arrange/plan/0.zst', 'arrange/plan/index.json', 'arrange/ledger/0/done.json']),
    );
    expect(bed.grants.reports).toHaveLength(1);
    expect(bed.grants.progress.at(-1)).toMatchObject({ done: 3, total: 3, unit: 'objects' });
  });

  test('every class of key arrives under its own bytes', async () => {
    const names = [
      'a b',
      ' lead',
      'trail ',
      'a+b',
      '%20',
      '%',
      '%2B+',
      '?',
      'a?b=c&d',
      '#',
      'a#b',
      '&',
      '=',
      "'",
      '"',
      '<a>',
      '&amp;',
      '{}',
      '{a}',
      '~',
      '`|^',
      '=,;:@$!*()',
      '\\',
      'é',
      'e\u0301',
      '日本/語',
      '\u{1F600}',
      '\uFF5E',
      '\uFFFD',
      'tab\there',
      'line\nfeed',
      '\u007f',
      'x'.repeat(255),
      `${'é'.repeat(127)}/é`,
      ...(gateway.capabilities.aliases === 'Exact' ? onlyWhereKeysAreExact : []),
    ];
    const written = names.map((name) => `2026/${name}`);
    await seed(
      bed.client,
      from,
      written.map((key) => [key, `content of ${key}`]),
    );
    const ended = await bed.run(plainStage());
    expect(ended.manifest?.message).toBeUndefined();
    expect(ended.code).toBe(EXIT.ok);
    expect(await contents(bed.client, to)).toEqual(await contents(bed.client, from));
    const found = (await listAll(bed.client, to)).map(({ key }) => key);
    expect(found.toSorted()).toEqual(written.toSorted());
  });

  test('a key of 1,024 bytes is copied, one of 1,025 is refused', async () => {
    const key = `${'k'.repeat(250)}/`.repeat(4) + 'e'.repeat(20);
    expect(Buffer.byteLength(key)).toBe(1024);
    await seed(bed.client, from, [[key, 'long']]);
    expect((await bed.run(plainStage())).code).toBe(EXIT.ok);
    expect(await contents(bed.client, to)).toEqual(new Map([[key, 'long']]));
    const other = await CopyBed.create(gateway, 'results');
    const destination = { store: 'lake', bucket: to, prefix: 'x' };
    expect(refusal(await other.run(plainStage({ destination })))).toMatch(
      inOrder('has 1025 bytes; S3 takes 1 to 1024'),
    );
    await other.stop();
  });

  test('listings go on over page borders, of the source and of the destination', async () => {
    const names = Array.from({ length: 1_101 }, (_, n) => `d${n % 7}/${n}`);
    await seed(
      bed.client,
      from,
      names.map((name) => [name, name]),
    );
    await seed(
      bed.client,
      to,
      names.slice(0, 1_050).map((name) => [name, name]),
    );
    const ended = await bed.run(plainStage());
    expect(ended.manifest?.copy).toMatchObject({ planned: 1_101, copied: 51, skipped: 1_050 });
    expect((await listAll(bed.client, to)).map(({ key }) => key)).toEqual(
      (await listAll(bed.client, from)).map(({ key }) => key),
    );
  });

  test('metadata, content type and tags come along, also in parts', async () => {
    const attributes = {
      'content-type': 'text/x-test',
      'cache-control': 'no-store',
      'x-amz-meta-origin': 'Here & there',
      'x-amz-tagging': 'team=a%2Bb&kind=c%20d',
    };
    const large = Buffer.alloc(11 * 1024 ** 2, 'ebbflow');
    for (const [key, body] of [
      ['small', Buffer.from('s')],
      ['large', large],
    ] as const) {
      await putObject(bed.client, { bucket: from, key, body, headers: attributes }, patientSignal);
    }
    const ended = await bed.run(plainStage({ multipartThreshold: '5Mi' }));
    expect(ended.manifest?.message).toBeUndefined();
    expect(ended.code).toBe(EXIT.ok);
    const { getTagging } = await import('../../workers/s3/tagging.ts');
    for (const key of ['small', 'large']) {
      const head = await headObject(bed.client, { bucket: to, key }, patientSignal);
      expect(head?.headers).toMatchObject({
        'content-type': 'text/x-test',
        'cache-control': 'no-store',
        'x-amz-meta-origin': 'Here & there',
      });
      const tags = (await getTagging(bed.client, { bucket: to, key }, patientSignal)).split('&');
      expect(tags.toSorted()).toEqual(['kind=c%20d', 'team=a%2Bb']);
    }
    const head = await headObject(bed.client, { bucket: to, key: 'large' }, patientSignal);
    expect(head?.etag).toMatch(/-3$/);
    expect((await contents(bed.client, to)).get('large')).toBe(large.toString('latin1'));
    // The copy's ETag says nothing about its content, so a second run goes by checksums; it must not take a mere
    // equal size for equal bytes, not even where there are no checksums.
    const second = await CopyBed.create(gateway, 'results');
    const again = await second.run(plainStage());
    const { copied, skipped } = again.manifest?.copy ?? {};
    expect(gateway.checksums ? `${copied} copied, ${skipped} skipped` : refusal(again)).toMatch(
      gateway.checksums ? '0 copied, 2 skipped' : '"large" would become "large", which exists with ETag',
    );
    await second.stop();
    const changed = Buffer.from(large).fill('X', 0, 9);
    await putObject(bed.client, { bucket: from, key: 'large', body: changed }, patientSignal);
    const third = await CopyBed.create(gateway, 'results');
    expect(refusal(await third.run(plainStage()))).toMatch(
      '"large" would become "large", which exists with ETag',
    );
    await third.stop();
  });

  test('a second run finds everything there and copies nothing', async () => {
    await seed(bed.client, from, digits);
    expect((await bed.run(stage())).code).toBe(EXIT.ok);
    const second = await CopyBed.create(gateway, 'results');
    expect((await second.run(stage())).manifest?.copy).toMatchObject({ planned: 3, copied: 0, skipped: 3 });
    await second.stop();
  });

  test('a dry run plans and writes nothing', async () => {
    await seed(bed.client, from, digits);
    const ended = await bed.run(stage({ dryRun: true }));
    expect(ended.manifest?.copy).toMatchObject({ planned: 3, copied: 0 });
    expect(ended.code).toBe(EXIT.ok);
    expect(await listAll(bed.client, to)).toEqual([]);
    expect(await bed.resultKeys()).toContain('arrange/plan/index.json');
  });

  test('objects stream between two stores', async () => {
    const other = await startGateway();
    await other.createBucket(to);
    const { CopyBed: Bed } = { CopyBed };
    const otherBed = await Bed.create(other, to);
    const large = Buffer.alloc(17 * 1024 ** 2, 'stream');
    const headers = { 'content-type': 'text/x-test', 'x-amz-meta-a': 'b' };
    await putObject(bed.client, { bucket: from, key: 'large', body: large, headers }, patientSignal);
    await putObject(
      bed.client,
      { bucket: from, key: 'small', body: Buffer.from('s'), headers },
      patientSignal,
    );
    const common = { region: 'us-east-1', addressing: 'Path' } as const;
    const stores = [
      { name: 'lake', endpoint: gateway.endpoint, ...common },
      { name: 'far', endpoint: other.endpoint, ...common },
    ];
    const ended = await bed.run(plainStage({ destination: { store: 'far', bucket: to } }), { stores });
    expect(ended.manifest?.message).toBeUndefined();
    expect(await contents(otherBed.client, to)).toEqual(await contents(bed.client, from));
    for (const key of ['small', 'large']) {
      const head = await headObject(otherBed.client, { bucket: to, key }, patientSignal);
      expect(head?.headers).toMatchObject(headers);
    }
    await otherBed.stop();
    await other.stop();
  });
});

describe('a plan that cannot be carried out is refused before anything is written', () => {
  test('two sources for one key, both named with it', async () => {
    await seed(bed.client, from, digits);
    const collide = [{ match: '_(?<label>\\d)\\.png$', replace: '{label}.png' }];
    const ended = await bed.run(stage({ rename: collide }));
    expect(refusal(ended)).toMatch(
      inOrder('"2026/0101/IMG_1_7.png" and "2026/0102/IMG_1_7.png" would both become "digits/7.png"'),
    );
    expect(await listAll(bed.client, to)).toEqual([]);
    expect(await bed.resultKeys()).toEqual([expect.stringMatching(/\/worker\.json$/)]);
  });

  test('more than ten problems: the first ten in words, all counted', async () => {
    await seed(
      bed.client,
      from,
      Array.from({ length: 15 }, (_, n) => [`k${n}`, 'x']),
    );
    const ended = await bed.run(plainStage({ rename: [{ match: '^k', replace: 'one' }] }));
    expect(refusal(ended)).toMatch(inOrder('14 problems, of which the first 10:'));
  });

  test('keys that the file store takes for one, and a file inside a file', async () => {
    await seed(bed.client, from, [
      ['a', '1'],
      ['b', '2'],
      ['c', '3'],
    ]);
    const rename = [
      { match: '^a$', replace: 'x/y' },
      { match: '^b$', replace: 'x//y' },
      { match: '^c$', replace: 'x' },
    ];
    const exact = gateway.capabilities.aliases === 'Exact';
    const keyEquivalence = exact ? 'Posix' : 'Auto';
    const ended = await bed.run(plainStage({ rename, keyEquivalence }));
    expect(refusal(ended)).toMatch(
      inOrder('2 problems', '"a" and "b" would both become "x//y"', 'compares keys as Posix', '"c" "x"'),
    );
    expect(await listAll(bed.client, to)).toEqual([]);
    if (!exact) return;
    expect((await bed.run(plainStage({ rename }))).code).toBe(EXIT.ok);
    const each = { 'x/y': '1', 'x//y': '2', x: '3' };
    expect(await contents(bed.client, to)).toEqual(new Map(Object.entries(each)));
  });

  test('a key that the listing cannot carry', async () => {
    await seed(bed.client, from, [['x\u0001y', 'control']]);
    const ended = await bed.run(plainStage());
    const exact = gateway.capabilities.aliases === 'Exact';
    const outcome = exact ? [...(await contents(bed.client, to)).keys()].join() : refusal(ended);
    expect(outcome).toMatch(inOrder(exact ? 'x\u0001y' : 'lists "x\uFFFDy" but does not have it'));
  });

  test('keys that no rule matches', async () => {
    await seed(bed.client, from, [...digits, ['2026/readme', 'no digit']]);
    expect(refusal(await bed.run(stage()))).toMatch(
      inOrder('1 of 4 keys', 'match no rename rule (the first is "2026/readme")'),
    );
  });

  test('onUnmatched Skip leaves them, Copy takes them as they are', async () => {
    await seed(bed.client, from, [...digits, ['2026/readme', 'no digit']]);
    expect((await bed.run(stage({ onUnmatched: 'Skip' }))).manifest?.copy?.planned).toBe(3);
    const second = await CopyBed.create(gateway, 'results');
    expect((await second.run(stage({ onUnmatched: 'Copy' }))).code).toBe(EXIT.ok);
    expect((await contents(bed.client, to)).get('digits/readme')).toBe('no digit');
    await second.stop();
  });

  test('rules that match nothing at all', async () => {
    await seed(bed.client, from, digits);
    const rename = [{ match: '^never$', replace: 'x' }];
    expect(refusal(await bed.run(stage({ rename })))).toMatch(
      inOrder('no rename rule matches any of the 3 keys under prefix "2026/"'),
    );
  });

  test('an invalid rule', async () => {
    const rename = [{ match: '(?=a)b', replace: '{nobody}' }];
    expect(refusal(await bed.run(stage({ rename })))).toMatch(
      inOrder('rename[0].match, character 1: look-around is not linear-time'),
    );
  });

  test('0 objects, unless onEmpty is Succeed', async () => {
    expect(refusal(await bed.run(stage()))).toMatch(
      inOrder(`there are 0 objects under prefix "2026/" of bucket ${from}`),
    );
    const ended = await bed.run(stage({ onEmpty: 'Succeed' }));
    expect(ended.code).toBe(EXIT.ok);
    expect(ended.manifest?.copy?.planned).toBe(0);
  });

  test('existing content that differs', async () => {
    await seed(bed.client, from, digits);
    await seed(bed.client, to, [['digits/label=3/0101-2.png', 'THREE']]);
    const ended = await bed.run(stage());
    expect(refusal(ended)).toMatch(
      inOrder('"2026/0101/IMG_2_3.png" would become "digits/label=3/0101-2.png", which exists with ETag'),
    );
    expect(await listAll(bed.client, to)).toHaveLength(1);
    expect(refusal(await bed.run(stage({ onExisting: 'Fail' })))).toMatch(inOrder('which exists; delete it'));
    expect((await bed.run(stage({ onExisting: 'Overwrite' }))).code).toBe(EXIT.ok);
    expect(await contents(bed.client, to)).toEqual(renamedDigits);
  });

  test('chains and cycles inside one bucket', async () => {
    await seed(bed.client, from, [
      ['a', '1'],
      ['b', '2'],
    ]);
    const rename = [
      { match: '^a$', replace: 'b' },
      { match: '^b$', replace: 'a' },
    ];
    const ended = await bed.run(plainStage({ rename, destination: { store: 'lake', bucket: from } }));
    expect(refusal(ended)).toMatch(inOrder('2 problems', '"a" would become "b", which is itself a source'));
    expect(await contents(bed.client, from)).toEqual(
      new Map([
        ['a', '1'],
        ['b', '2'],
      ]),
    );
  });
});

describe('stores that cannot be used', () => {
  test.each(['source', 'destination'] as const)('a missing %s bucket', async (field) => {
    await seed(bed.client, from, digits);
    const other = { store: 'lake', bucket: 'not-there' };
    expect(
      refusal(await bed.run(stage({ [field]: { ...other, prefix: field === 'source' ? '2026/' : '' } }))),
    ).toMatch(
      inOrder(
        `bucket not-there does not exist in store lake (${gateway.endpoint}): create it or correct copy.${field}.bucket`,
      ),
    );
  });

  test.each([
    ['AWS_ACCESS_KEY_ID', 'wrong-key', 'does not know the access key: correct AWS_ACCESS_KEY_ID'],
    ['AWS_SECRET_ACCESS_KEY', 'wrong-secret', 'refused the signature: correct AWS_SECRET_ACCESS_KEY'],
    ['AWS_SECRET_ACCESS_KEY', '', "the store's Secret has no AWS_SECRET_ACCESS_KEY"],
  ])('a %s of %j', async (file, value, message) => {
    const credentials = await mkdtemp(join(tmpdir(), 'ebbflow-secret-'));
    onTestFinished(() => rm(credentials, { recursive: true, force: true }));
    await writeFile(join(credentials, 'AWS_ACCESS_KEY_ID'), gateway.accessKeyId);
    await writeFile(join(credentials, 'AWS_SECRET_ACCESS_KEY'), gateway.secretAccessKey);
    await writeFile(join(credentials, file), value);
    const store = {
      name: 'lake',
      endpoint: gateway.endpoint,
      region: 'us-east-1',
      addressing: 'Path',
    } as const;
    const ended = await bed.run(plainStage(), { stores: [{ ...store, credentials }] });
    expect(refusal(ended)).toMatch(inOrder(message));
    expect(ended.manifest?.reason).toBe('StoreUnavailable');
    expect(JSON.stringify(ended)).not.toContain(gateway.secretAccessKey);
  });

  test('an endpoint that nobody answers: another try may help', async () => {
    const stores = [
      { name: 'lake', endpoint: 'http://127.0.0.1:9', region: 'us-east-1', addressing: 'Path' },
    ] as const;
    const ended = await bed.run(plainStage(), { stores });
    expect(ended.code).toBe(EXIT.unavailable);
    expect(ended.manifest?.message).toContain('store lake (http://127.0.0.1:9) cannot be reached');
  });
});

describe('Move', () => {
  test('deletes the sources whose copies are recorded, and a re-run finds nothing to do', async () => {
    await seed(bed.client, from, [...digits, ['elsewhere', 'stays']]);
    const ended = await bed.run(stage({ mode: 'Move' }));
    expect(ended.manifest?.copy).toMatchObject({ copied: 3, moved: 3, failed: 0 });
    expect(await contents(bed.client, from)).toEqual(new Map([['elsewhere', 'stays']]));
    expect(await contents(bed.client, to)).toEqual(renamedDigits);
  });

  test('never deletes an object that is its own destination, also not under another name of it', async () => {
    await seed(bed.client, from, [
      ['a/b', '1'],
      ['c', '2'],
    ]);
    const here = { store: 'lake', bucket: from };
    const rename = [
      { match: '^a/b$', replace: 'a//b' },
      { match: '^c$', replace: 'c' },
    ];
    const ended = await bed.run({ source: here, destination: here, rename, mode: 'Move' });
    const exact = gateway.capabilities.aliases === 'Exact';
    const counts = exact ? { unchanged: 1, copied: 1, moved: 1 } : { unchanged: 2, copied: 0, moved: 0 };
    expect(ended.manifest?.copy).toMatchObject({ planned: 2, ...counts });
    expect(await contents(bed.client, from)).toEqual(
      new Map([
        [exact ? 'a//b' : 'a/b', '1'],
        ['c', '2'],
      ]),
    );
  });

  test('sees that two stores are one', async () => {
    await seed(bed.client, from, [['a', '1']]);
    const common = { endpoint: gateway.endpoint, region: 'us-east-1', addressing: 'Path' } as const;
    const stores = [
      { name: 'lake', ...common },
      { name: 'other', ...common },
    ];
    const copy = plainStage({ destination: { store: 'other', bucket: from }, mode: 'Move' });
    expect((await bed.run(copy, { stores })).manifest?.copy).toMatchObject({ unchanged: 1, moved: 0 });
    expect(await contents(bed.client, from)).toEqual(new Map([['a', '1']]));
  });
});

test('the server’s ways are what the code assumes', async () => {
  const { probeCapabilities } = await import('../../workers/s3/probe.ts');
  const seen = await probeCapabilities(
    bed.client,
    { bucket: to, prefix: 'p/', owner: 'test' },
    { parts: true },
    patientSignal,
  );
  expect(seen).toEqual(gateway.capabilities);
  await seed(bed.client, from, [
    ['a+b', 'x'],
    ['a b', 'y'],
  ]);
  const [plus] = (await listAll(bed.client, from)).filter(({ key }) => key === 'a+b');
  const source = { bucket: from, key: 'a+b', etag: plus?.etag ?? '' };
  await copyObject(bed.client, { source, bucket: to, key: 'c' }, patientSignal);
  expect(await contents(bed.client, to)).toEqual(new Map([['c', 'x']]));
});
