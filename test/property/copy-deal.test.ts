import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SHARD_ROWS, WORKER_SHARE } from '../../workers/contract/copyplan.ts';
import {
  countWorkers,
  dealPieces,
  PieceCutter,
  weighRow,
  weightOf,
  type Deal,
} from '../../workers/copy/deal.ts';

const GiB = 1024 ** 3;

function deal(weights: readonly number[], workers: number): Deal {
  const cutter = new PieceCutter(sum(weights), workers);
  for (const weight of weights) cutter.add(weight, 1);
  return dealPieces(cutter.finish(), workers);
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** What each worker has, heaviest not first but in the order of the workers. */
function loads({ shards, workers }: Deal): number[] {
  const of = (index: number): number =>
    sum(shards.filter((shard) => shard.index === index).map(({ pieces }) => weightOf(pieces)));
  return Array.from({ length: workers }, (_, index) => of(index));
}

const rowsOf = ({ pieces }: Deal['shards'][number]): number => sum(pieces.map(({ rows }) => rows));
const small = weighRow('Copy', 4096, 'Copy');
const huge = weighRow('Copy', 100 * GiB, 'Copy');

const weights = fc.array(
  fc.oneof(fc.constant(small), fc.constant(1 / 64), fc.double({ min: 1, max: 2_000, noNaN: true })),
  { maxLength: 3_000 },
);
const workers = fc.integer({ min: 1, max: 40 });

describe('the dealing of rows to workers', () => {
  test('every row is in one shard, in the order of the plan', () => {
    fc.assert(
      fc.property(weights, workers, (some, most) => {
        const { shards } = deal(some, most);
        for (const { pieces } of shards) {
          const firsts = pieces.map(({ first }) => first);
          expect(firsts).toEqual(firsts.toSorted((a, b) => a - b));
        }
        const all = shards.flatMap(({ pieces }) => pieces).toSorted((a, b) => a.first - b.first);
        let next = 0;
        for (const { first, rows } of all) {
          expect(first).toBe(next);
          next += rows;
        }
        expect(next).toBe(some.length);
        expect(sum(all.map(({ bytes }) => bytes))).toBe(some.length);
      }),
    );
  });

  test('no worker has more than the mean and a sixteenth of it, or one object where that is more', () => {
    const several = fc.integer({ min: 2, max: 40 });
    fc.assert(
      fc.property(weights, several, (some, most) => {
        const mean = sum(some) / most;
        const bound = mean + Math.max(mean / 16, ...some);
        const longest = Math.max(...loads(deal(some, most)));
        expect(longest).toBeLessThanOrEqual(bound * (1 + 1e-9));
      }),
    );
  });

  test('workers are numbered without a gap, each has work, and each takes its longest shard first', () => {
    fc.assert(
      fc.property(weights, workers, (some, most) => {
        const dealt = deal(some, most);
        expect(dealt.workers).toBeGreaterThanOrEqual(1);
        expect(dealt.workers).toBeLessThanOrEqual(most);
        if (some.length === 0) return;
        for (let index = 0; index < dealt.workers; index += 1) {
          const own = dealt.shards.filter((shard) => shard.index === index);
          expect(own.length).toBeGreaterThan(0);
          const lengths = own.map(({ pieces }) => weightOf(pieces));
          expect(lengths).toEqual(lengths.toSorted((a, b) => b - a));
        }
      }),
    );
  });

  test('the same rows are dealt alike every time', () => {
    fc.assert(
      fc.property(weights, workers, (some, most) => {
        expect(deal(some, most)).toEqual(deal(some, most));
      }),
    );
  });

  test.each([
    ['nothing', 0, 0, 4, 1],
    ['one object', 1, 0, 4, 1],
    ['fewer objects than workers', 3, 0, 8, 3],
    ['few small objects', 400, 0, 4, 4],
    ['a few huge objects', 0, 8, 8, 8],
    ['huge objects among small ones', 5_000, 3, 4, 4],
  ])('%s', (_, smalls, huges, most, used) => {
    const rows = [
      ...Array.from({ length: smalls }, () => small),
      ...Array.from({ length: huges }, () => huge),
    ];
    expect(deal(rows, most).workers).toBe(used);
  });

  test.each([
    ['nothing', 0, 8, 1],
    ['a handful of objects', 5, 8, 1],
    ['less than two shares', 199, 8, 1],
    ['two shares', 200, 8, 2],
    ['more than the stage may have', 100_000, 8, 8],
  ])('another worker needs work for its share: %s', (_, total, most, used) => {
    expect(countWorkers(total, { most, share: 100 })).toBe(used);
  });

  test('bytes are work too: a few huge objects are shared out, as many small ones are', () => {
    const ofSize = (size: number): number => weighRow('Copy', size, 'Copy');
    const crew = { most: 8, share: WORKER_SHARE };
    expect(countWorkers(20 * ofSize(100 * GiB), crew)).toBe(8);
    expect(countWorkers(20_000 * ofSize(4096), crew)).toBe(5);
    expect(countWorkers(20 * ofSize(GiB), crew)).toBe(1);
  });

  test('shards are as large as they may be, and never larger', () => {
    const lone = deal(
      Array.from({ length: 250_000 }, () => small),
      1,
    );
    expect(lone.shards.map(rowsOf)).toEqual([SHARD_ROWS, SHARD_ROWS, 50_000]);
    const two = deal(
      Array.from({ length: 450_000 }, () => small),
      2,
    );
    expect(Math.max(...two.shards.map(rowsOf))).toBeLessThanOrEqual(SHARD_ROWS);
    expect(two.shards.length).toBeLessThanOrEqual(6);
  });

  test('a row that is only recorded weighs little, unless its source is to be deleted', () => {
    expect(weighRow('Skip', GiB, 'Copy')).toBeLessThan(0.1);
    expect(weighRow('Skip', GiB, 'Move')).toBe(1);
    expect(weighRow('Unchanged', GiB, 'Move')).toBeLessThan(0.1);
    expect(weighRow('Copy', GiB, 'Copy')).toBe(17);
  });
});
