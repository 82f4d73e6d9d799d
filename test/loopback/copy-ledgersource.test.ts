import { randomUUID } from 'node:crypto';
import { copyFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CopyStage } from '../../operator/api/copystage.ts';
import { StageBed } from '../support/stagebed.ts';

let bed: StageBed;
beforeEach(async () => {
  bed = await StageBed.start({ buckets: ['raw', 'lake', 'last'] });
});
afterEach(() => bed.stop());

const arrange: CopyStage = {
  source: { store: 's', bucket: 'raw', prefix: 'in/' },
  destination: { store: 's', bucket: 'lake', prefix: 'day/' },
  rename: [{ match: '^(?<n>\\d+)$', replace: 'n={n}' }],
  maxFailures: 1,
};

function onwards(source: Partial<CopyStage['source']> = {}): CopyStage {
  return {
    source: { store: 's', bucket: 'lake', prefix: 'day/', ledgerOf: 'arrange', ...source },
    destination: { store: 's', bucket: 'last', prefix: 'n-' },
  };
}

describe('a plan from the ledger of an earlier stage', () => {
  test('has what that stage wrote or found in place, and nothing else', async () => {
    for (const n of [1, 2, 3]) await bed.stores.put('raw', `in/${n}`);
    await bed.stores.put('lake', 'day/n=2', 'in/2');
    await bed.stores.put('lake', 'day/not of this run');
    bed.stores.double.setFaults([
      { kind: 'answer', operation: 'CopyObject', key: 'n=3', status: 400, code: 'Bad' },
    ]);
    expect((await bed.run('arrange', arrange)).result).toMatchObject({ copied: 1, skipped: 1, failed: 1 });
    bed.stores.double.setFaults([]);
    expect((await bed.run('onwards', onwards())).result).toMatchObject({ planned: 2, copied: 2 });
    expect(await bed.has('last', 'n-n=1')).toBe(true);
    expect(await bed.has('last', 'n-n=2')).toBe(true);
    expect(await bed.has('last', 'n-not of this run')).toBe(false);
  });

  test('takes only keys under its own prefix', async () => {
    for (const n of [1, 12, 2]) await bed.stores.put('raw', `in/${n}`);
    await bed.run('arrange', arrange);
    expect((await bed.run('onwards', onwards({ prefix: 'day/n=1' }))).result).toMatchObject({ copied: 2 });
    expect(await bed.has('last', 'n-2')).toBe(true);
  });

  test('does not copy an object that changed since', async () => {
    await bed.stores.put('raw', 'in/1');
    await bed.run('arrange', arrange);
    await bed.stores.put('lake', 'day/n=1', 'other');
    const { result, failures } = await bed.run('onwards', onwards());
    expect(result).toMatchObject({ copied: 0, failed: 1 });
    expect(failures[0]).toContain('SourceChanged');
  });

  test.each([
    ['gone', async (path: string) => rm(path), /\.zst of the ledger of stage arrange is gone: /],
    [
      'another by now',
      async (path: string) => copyFile(path.replace(/\d{6}\.zst$/, '000000.zst'), path),
      /\.zst .* is not what it was/,
    ],
  ])('is refused where a segment of the ledger is %s', async (_, spoil, message) => {
    for (const n of [1, 2, 3]) await bed.stores.put('raw', `in/${n}`);
    await bed.run('arrange', arrange);
    const ledger = join(bed.folder, 'arrange/ledger/0');
    const segments = (await readdir(ledger)).filter((name) => name.endsWith('.zst')).toSorted();
    await spoil(join(ledger, segments.at(-1) ?? ''));
    await expect(bed.run('onwards', onwards())).rejects.toThrow(message);
    expect(await bed.has('last', 'n-n=1')).toBe(false);
  });

  test.each([
    [
      'another bucket',
      onwards({ bucket: 'raw' }),
      /stage arrange wrote to bucket lake .* copy.source is bucket raw/,
    ],
    ['a stage without a plan', onwards({ ledgerOf: 'train' }), /stage train has no plan/],
    ['another run', onwards({ ledgerOf: randomUUID() }), /ledgers of its own run alone.*keyList/],
  ])('of %s is refused in words', async (_, copy, message) => {
    await bed.stores.put('raw', 'in/1');
    await bed.run('arrange', arrange);
    await expect(bed.run('onwards', copy)).rejects.toThrow(message);
  });
});
