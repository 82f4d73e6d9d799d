import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXIT } from '../../workers/contract/exitcodes.ts';
import { contents, CopyBed, listAll, seed } from '../support/copybed.ts';
import { EXPECTED, OBJECTS, renamingStage } from '../support/copyworld.ts';
import { CopyJob } from '../support/copyjob.ts';
import { isProbe, operationOf, startProxy, type Fault, type S3Proxy } from '../support/s3proxy.ts';
import { startGateway, type Gateway } from '../support/versitygw.ts';

let gateway: Gateway;
let round = 0;

beforeAll(async () => {
  gateway = await startGateway();
  await gateway.createBucket('results');
});
afterAll(async () => gateway.stop());

interface World {
  readonly bed: CopyBed;
  readonly proxy: S3Proxy;
  readonly from: string;
  readonly to: string;
}

async function inWorld(play: (world: World) => Promise<void>): Promise<void> {
  round += 1;
  const [from, to] = [`from-${round}`, `to-${round}`];
  await Promise.all([gateway.createBucket(from), gateway.createBucket(to)]);
  const proxy = await startProxy(gateway.endpoint);
  const bed = await CopyBed.create(gateway, 'results', proxy.endpoint);
  try {
    await seed(bed.client, from, OBJECTS);
    await play({ bed, proxy, from, to });
  } finally {
    await bed.stop();
    await proxy.stop();
  }
}

const slowDown: Fault = {
  status: 503,
  body: '<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>',
};

/** Who is killed, and after how many copies of all workers together. */
const kill = fc.record({
  after: fc.integer({ min: 1, max: 280 }),
  whom: fc.constantFrom(0, 1, 2, 'all' as const),
});
const settings = fc.record({
  mode: fc.constantFrom('Copy', 'Move'),
  kills: fc.array(kill, { minLength: 1, maxLength: 3 }),
  /** Every so many copies one is refused. */
  throttled: fc.constantFrom(5, 20),
});

describe('three workers', () => {
  test('kill -9 of any or all of them at any moment: the bucket is what the model says, and little is copied twice', async () => {
    const seen = { deaths: 0, again: 0 };
    const property = fc.asyncProperty(settings, async ({ mode, kills, throttled }) =>
      inWorld(async (world) => {
        const { bed, proxy, from, to } = world;
        const job = new CopyJob(bed, renamingStage(world, { mode }), 3);
        const copies = new Map<string, number>();
        let number = 0;
        const left = [...kills];
        proxy.onRequest = (request) => {
          if (operationOf(request) !== 'CopyObject' || isProbe(request)) return 'pass';
          number += 1;
          const due = left.findIndex(({ after }) => number >= after);
          for (const { whom } of due === -1 ? [] : left.splice(due, 1)) job.kill(whom);
          if (number % throttled === 0) return slowDown;
          const key = decodeURIComponent(request.url.slice(`/${to}/`.length));
          copies.set(key, (copies.get(key) ?? 0) + 1);
          return 'pass';
        };
        await job.run();
        expect(await contents(bed.client, to)).toEqual(EXPECTED);
        expect(await listAll(bed.client, from)).toHaveLength(mode === 'Move' ? 0 : 300);
        expect(new Set((await bed.ledgerRows()).map((row) => row.destination)).size).toBe(300);
        // What was under way at a death may have been sent once more, and nothing else.
        expect(Math.max(...copies.values())).toBeLessThanOrEqual(1 + Math.max(...job.deaths));
        const deaths = job.deaths.reduce((sum, one) => sum + one, 0);
        const again = [...copies.values()].reduce((sum, one) => sum + one - 1, 0);
        expect(again).toBeLessThanOrEqual(64 * deaths);
        seen.deaths += deaths;
        seen.again += again;
      }),
    );
    await fc.assert(property, { numRuns: 5 });
    expect(seen.deaths).toBeGreaterThanOrEqual(5);
  }, 300_000);

  test('each has its part, and says what it did of it', async () =>
    inWorld(async (world) => {
      const { bed, to } = world;
      const ended = [];
      for (const index of [0, 1, 2]) ended.push(await bed.run(renamingStage(world), { index, workers: 3 }));
      expect(ended.map(({ code }) => code)).toEqual([EXIT.ok, EXIT.ok, EXIT.ok]);
      const counts = ended.map(({ manifest }) => manifest?.copy?.copied ?? 0);
      expect(ended.map(({ manifest }) => manifest?.copy?.planned)).toEqual(counts);
      expect(Math.min(...counts)).toBeGreaterThan(0);
      expect(counts.reduce((sum, one) => sum + one, 0)).toBe(300);
      expect(await contents(bed.client, to)).toEqual(EXPECTED);
    }));

  test('the first does not end before its Job has the others', async () =>
    inWorld(async (world) => {
      const { bed } = world;
      bed.grants.growing = false;
      const alone = await bed.run(renamingStage(world), { index: 0, workers: 3, patience: 300 });
      expect(alone.code).toBe(EXIT.unavailable);
      expect(alone.manifest?.message).toContain('did not give the stage its 3 workers');
      bed.grants.growing = true;
      const again = await bed.run(renamingStage(world), { index: 0, workers: 3 });
      expect(again.code).toBe(EXIT.ok);
      // The second pod finds everything done.
      const { requests: _sent, ...figures } = alone.manifest?.copy ?? {};
      expect(again.manifest?.copy).toMatchObject(figures);
      expect(bed.grants.workers).toBe(3);
    }));

  test('one that finds no plan is to be tried again', async () =>
    inWorld(async (world) => {
      const early = await world.bed.run(renamingStage(world), { index: 1, workers: 3, patience: 300 });
      expect(early.code).toBe(EXIT.unavailable);
      expect(await listAll(world.bed.client, world.to)).toEqual([]);
    }));
});
