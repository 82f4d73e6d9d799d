/** Copies on a store that does not heed the prefix of a listing. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CopyStage } from '../../operator/api/copystage.ts';
import { StageBed } from '../support/stagebed.ts';

let bed: StageBed;
beforeEach(async () => {
  bed = await StageBed.start({ buckets: ['raw', 'lake'], ignored: ['listPrefix'] });
});
afterEach(() => bed.stop());

const move: CopyStage = {
  source: { store: 's', bucket: 'raw', prefix: 'in/' },
  destination: { store: 's', bucket: 'lake', prefix: 'out/' },
  mode: 'Move',
};

const keysOf = (bucket: string) => bed.stores.double.store.bucket(bucket).keys;

test('a source that lists other keys is refused, and nothing outside its prefix is deleted', async () => {
  await bed.stores.put('raw', 'in/a');
  await bed.stores.put('raw', 'other/b');
  await expect(bed.run('arrange', move)).rejects.toThrow(
    /lists keys that were not asked for.*ListObjectsV2 raw.*"other\/b" is not under "in\/"/,
  );
  expect([keysOf('raw'), keysOf('lake')]).toEqual([['in/a', 'other/b'], []]);
});

test('so is a destination', async () => {
  await bed.stores.put('raw', 'in/a');
  await bed.stores.put('lake', 'other/b');
  await expect(bed.run('arrange', move)).rejects.toThrow(/"other\/b" is not under "out\/"/);
  expect([keysOf('raw'), keysOf('lake')]).toEqual([['in/a'], ['other/b']]);
});

test('where nothing is listed, nobody else’s objects and uploads are taken for throw-away ones, and our uploads are', async () => {
  await bed.stores.put('raw', 'in/a');
  await bed.stores.put('raw', 'keys', 'in/a\n');
  await bed.stores.put('lake', 'other/b');
  const { store } = bed.stores.double;
  const ours = 'out/.ebbflow-probe-01234567-0123-4123-8123-0123456789ab-arrange/left';
  for (const key of ['other/c', ours])
    store.startUpload(store.bucket('lake'), { key, headers: {}, tagging: '' });
  const source = { ...move.source, keyList: { bucket: 'raw', key: 'keys' } };
  const { result } = await bed.run('arrange', { ...move, source, onExisting: 'Overwrite' });
  expect(result).toMatchObject({ copied: 1, moved: 1 });
  expect([keysOf('raw'), keysOf('lake')]).toEqual([['keys'], ['other/b', 'out/a']]);
  expect(Array.from(store.bucket('lake').uploads.values(), ({ key }) => key)).toEqual(['other/c']);
});
