/** The main job: copy and rename, compute on it, keep outputs, logs and the record, leave nothing. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { logIndex, runRecord, workerManifest } from '../../workers/contract/manifests.ts';
import { fromZero } from '../support/e2e/burst.ts';
import { type Bed, conditionOf, openBed, stageOf, unique } from '../support/e2e/bed.ts';

let bed: Bed;
beforeAll(async () => {
  bed = await openBed();
});
afterAll(() => bed.close());

describe('a run of three stages on nodes that come from zero', () => {
  test('copies and renames, computes, and leaves outputs, logs and a record, but no Job and no pod', async () => {
    const name = unique('main');
    const prefix = `${name}/in/`;
    const keys = Array.from({ length: 40 }, (_, n) => `2026-01-0${(n % 5) + 1}/IMG_${n}_${n % 10}.png`);
    await bed.put('raw', Object.fromEntries(keys.map((key, n) => [`${prefix}${key}`, `image ${n}`])));
    const uid = await bed.apply(name, {
      pipeline: 'digits',
      stores: bed.stores,
      placement: fromZero,
      stages: [
        {
          name: 'arrange',
          copy: {
            source: { bucket: 'raw', prefix },
            destination: { bucket: 'lake', prefix: `${name}/` },
            rename: [
              {
                match: '^(?<day>[^/]+)/IMG_(?<n>\\d+)_(?<label>\\d)\\.png$',
                replace: 'label={label}/{day}-{n}.png',
              },
            ],
          },
        },
        bed.shell(
          'count',
          'find /data -type f | wc -l > /out/count; cat /data/label=3/2026-01-04-3.png > /out/three; echo counted',
          {
            dependsOn: ['arrange'],
          },
        ),
        bed.shell('report', 'cat /counted/count; cat /counted/three >&2', { dependsOn: ['count'] }),
      ].map((stage) => {
        if (!('container' in stage) || !stage.container) return stage;
        const inputs =
          stage.name === 'count'
            ? [{ stage: 'arrange', path: '/data' }]
            : [{ stage: 'count', path: '/counted' }];
        const outputs =
          stage.name === 'count' ? [{ path: '/out', bucket: 'models', prefix: '{run}/{runUID}/' }] : [];
        return { ...stage, container: { ...stage.container, inputs, outputs } };
      }),
    });
    const run = await bed.finished(name);

    expect(conditionOf(run, 'Succeeded')).toMatchObject({ status: 'True', reason: 'Succeeded' });
    expect(conditionOf(run, 'LogsStored')).toMatchObject({ status: 'True', reason: 'Stored' });
    expect(stageOf(run, 'arrange')?.message).toBe('40 objects copied, 40 renamed');
    expect(run.status?.nodes?.launched).toBeGreaterThanOrEqual(1);
    expect(await bed.left(uid)).toEqual([]);

    const copied = await bed.keys('lake', `${name}/`);
    expect(copied).toHaveLength(40);
    expect(await bed.read('lake', `${name}/label=7/2026-01-03-7.png`)).toBe('image 7');
    expect(await bed.read('models', `${name}/${uid}/count`)).toBe('40\n');
    expect(await bed.read('models', `${name}/${uid}/three`)).toBe('image 3');

    const record = runRecord.parse(JSON.parse(await bed.result(run, 'run.json')));
    expect(record.outcome.result).toBe('Succeeded');
    expect(record.stages.map((stage) => stage.attempts.length)).toEqual([1, 1, 1]);
    for (const stage of record.stages) {
      const [attempt] = stage.attempts;
      expect(attempt?.manifest.kind).toBe('worker');
      expect(attempt?.logs?.complete).toBe(true);
      workerManifest.parse(
        JSON.parse(await bed.result(run, attempt?.manifest.key.split(`${uid}/`).at(-1) ?? '')),
      );
      logIndex.parse(JSON.parse(await bed.result(run, attempt?.logs?.key.split(`${uid}/`).at(-1) ?? '')));
    }
  });
});

describe('names', () => {
  test('two runs of one name, and runs whose names and stages run together, never meet', async () => {
    const suffix = unique('x').slice(2);
    const say = (word: string) => `echo ${word}; echo ${word} > /out/word`;
    const spec = (stage: string, word: string) => {
      const made = bed.shell(stage, say(word));
      const outputs = [{ path: '/out', bucket: 'models', prefix: '{runUID}/' }];
      return {
        stores: bed.stores,
        stages: [{ ...made, container: { image: bed.image, command: ['sh', '-c', say(word)], outputs } }],
      };
    };
    const [one, two, three, four] = await Promise.all([
      bed.apply(`a${suffix}`, spec('b-c', 'one')),
      bed.apply(`a${suffix}-b`, spec('c', 'two')),
      bed.apply(`a${suffix}`, spec('b-c', 'three'), 'other'),
      bed.apply(`a${suffix}-b-c`, spec('c', 'four')),
    ]);
    await Promise.all([
      bed.finished(`a${suffix}`),
      bed.finished(`a${suffix}-b`),
      bed.finished(`a${suffix}`, 'other'),
      bed.finished(`a${suffix}-b-c`),
    ]);
    const words = await Promise.all([one, two, three, four].map((uid) => bed.read('models', `${uid}/word`)));
    expect(words).toEqual(['one\n', 'two\n', 'three\n', 'four\n']);

    // The same name again is another run.
    await bed.delete(`a${suffix}`);
    await bed.gone(`a${suffix}`);
    const again = await bed.apply(`a${suffix}`, spec('b-c', 'again'));
    await bed.finished(`a${suffix}`);
    expect(again).not.toBe(one);
    expect(await bed.read('models', `${again}/word`)).toBe('again\n');
    expect(await bed.read('models', `${one}/word`)).toBe('one\n');
  });
});
