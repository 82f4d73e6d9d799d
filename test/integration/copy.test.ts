import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, test } from 'vitest';
import { EXIT } from '../../workers/contract/exitcodes.ts';
import { contents, CopyBed, seed } from '../support/copybed.ts';
import { startGateway, type Gateway } from '../support/versitygw.ts';

let gateway: Gateway;
let bed: CopyBed;
let round = 0;
let from = '';
let to = '';

beforeAll(async () => {
  gateway = await startGateway();
  await gateway.createBucket('results');
});
afterAll(async () => gateway.stop());
beforeEach(async () => {
  round += 1;
  from = `from-${round}`;
  to = `to-${round}`;
  await gateway.createBucket(from);
  await gateway.createBucket(to);
  bed = await CopyBed.create(gateway, 'results');
});
afterEach(async () => bed.stop());

const digits = [
  ['2026/0101/IMG_1_7.png', 'seven'],
  ['2026/0101/IMG_2_3.png', 'three'],
  ['2026/0102/IMG_1_7.png', 'another seven'],
] as const;
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

describe('a copy that works', () => {
  test('renames, records every row, and leaves a manifest', async () => {
    await seed(bed.client, from, digits);
    const ended = await bed.run(stage());
    expect(ended.lines.filter((line) => Number(line['level']) >= 40)).toEqual([]);
    expect(ended.code).toBe(EXIT.ok);
    expect(await contents(bed.client, to)).toEqual(
      new Map([
        ['digits/label=3/0101-2.png', 'three'],
        ['digits/label=7/0101-1.png', 'seven'],
        ['digits/label=7/0102-1.png', 'another seven'],
      ]),
    );
    expect(ended.manifest?.copy).toEqual({
      planned: 3,
      copied: 3,
      renamed: 3,
      skipped: 0,
      unchanged: 0,
      moved: 0,
      failed: 0,
      bytes: 23,
    });
    const keys = await bed.resultKeys();
    expect(keys).toContain('arrange/plan/0.zst');
    expect(keys).toContain('arrange/plan/index.json');
    expect(keys).toContain('arrange/ledger/0/done.json');
    expect(bed.grants.reports).toHaveLength(1);
    expect(bed.grants.progress.at(-1)).toMatchObject({ done: 3, total: 3, unit: 'objects' });
  });
});
