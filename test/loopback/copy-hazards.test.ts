/** The copy stage where an object could be lost, or be blamed for what is not its fault. */
import { afterEach, describe, expect, test } from 'vitest';
import type { CopyStage } from '../../operator/api/copystage.ts';
import { EXIT } from '../../workers/contract/exitcodes.ts';
import { CopyBed, contents, seed } from '../support/copybed.ts';
import { startDoubleServer } from '../support/s3double/bed.ts';
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

describe('Move', () => {
  const move: CopyStage = { ...copy, mode: 'Move', maxFailures: 1 };

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
