/** Two pods of one worker at a time, as when the node of the first one is cut off for a while. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CopyStage } from '../../operator/api/copystage.ts';
import { planIndexKey } from '../../workers/contract/keys.ts';
import type { ResultsStore } from '../../workers/copy/results.ts';
import { Bytes } from '../support/s3double/content.ts';
import { StageBed } from '../support/stagebed.ts';

let bed: StageBed;
beforeEach(async () => {
  bed = await StageBed.start({ buckets: ['raw', 'lake'] });
});
afterEach(() => bed.stop());

const copy: CopyStage = {
  source: { store: 's', bucket: 'raw', prefix: 'in/' },
  destination: { store: 's', bucket: 'lake', prefix: 'out/' },
};

/** The results, but for one method. */
function resultsWith(other: Partial<ResultsStore>): ResultsStore {
  const { results } = bed;
  return {
    list: (stage) => results.list(stage),
    listBelow: (stage, prefix) => results.listBelow(stage, prefix),
    prepare: () => results.prepare(),
    put: (key, body, signal) => results.put(key, body, signal),
    get: (key, signal) => results.get(key, signal),
    ...other,
  };
}

test('a pod sees what the other one recorded since it began, when it comes to a shard', async () => {
  // Uploaded in parts: what is at its destination does not have its ETag.
  const object = { key: 'in/a', content: new Bytes(Buffer.from('in two parts')), headers: {}, tagging: '' };
  const { double } = bed.stores;
  double.store.write(double.store.bucket('raw'), { ...object, etag: `${'0123456789abcdef'.repeat(2)}-2` });
  const onlyPlan = resultsWith({ prepare: () => Promise.reject(new Error('killed')) });
  await expect(bed.run('arrange', copy, { results: onlyPlan })).rejects.toThrow('killed');
  const slow = resultsWith({
    get: async (key, signal) => {
      if (key === planIndexKey('arrange')) await bed.run('arrange', copy);
      return bed.results.get(key, signal);
    },
  });
  const { result, failures } = await bed.run('arrange', copy, { results: slow });
  expect({ result, failures }).toMatchObject({ result: { copied: 1, failed: 0 }, failures: [] });
});
