import { tmpdir } from 'node:os';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { formatPlanRow, parsePlanRow } from '../../workers/contract/copyplan.ts';
import { DraftFile } from '../../workers/copy/draftfile.ts';
import { Drafter } from '../../workers/copy/drafts.ts';
import { resolveJob } from '../../workers/copy/job.ts';
import { enableLinearExpressions } from '../../workers/copy/linear.ts';
import { PlanProblems } from '../../workers/copy/problems.ts';
import { PlanProof } from '../../workers/copy/proof.ts';
import { RecognisedRows } from '../../workers/copy/recognised.ts';
import { Scratch } from '../../workers/copy/scratch.ts';

beforeAll(() => enableLinearExpressions());

const prefix = 'out/';
const key = fc
  .oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 300 }),
    fc.constantFrom('x/../y', './a', 'a//b', '/a', 'a/', '%2e%2e/', '?q=1#f', 'a b+c', '..', '\\\\host'),
  )
  .filter((text) => text.isWellFormed() && Buffer.byteLength(text) <= 1020);
const rule = fc.record({
  match: fc.constantFrom('^(?<a>.)', '(?<a>..)$', '(?<a>[^]*)', '(?<a>a*)', '^(?<a>[^/]*)/'),
  replace: fc
    .array(fc.constantFrom('{a}', '{a|upper}', '{key}', '{dir}', '{stem}/', '{hash:8}', '../', 'x'), {
      minLength: 1,
      maxLength: 6,
    })
    .map((parts) => parts.join('')),
});

/** What the rules make of keys: rows by their sources, and how many keys were refused. */
function draft(keys: readonly string[], rename: { match: string; replace: string }[], memory?: number) {
  const problems = new PlanProblems();
  const source = { store: 's', bucket: 'raw', prefix: '' };
  const destination = { store: 's', bucket: 'lake', prefix };
  const job = resolveJob({ source, destination, rename, onUnmatched: 'Skip' }, problems);
  expect(problems.first).toEqual([]);
  using scratch = new Scratch({ directory: tmpdir(), limit: 2 ** 30, ...(memory && { memory }) });
  const drafts = new DraftFile(scratch);
  const proof = new PlanProof(drafts, { equivalence: 'Exact', oneSpace: false }, scratch);
  const drafter = new Drafter(job, { drafts, proof, problems });
  for (const name of keys)
    drafter.add({ key: name, size: 7, etag: '"e', lastModified: '', storageClass: undefined });
  const rows = [...drafts.all()].map(({ row, position }) => {
    expect(drafts.read(position)).toEqual(row);
    return row;
  });
  return { rows, refused: problems.total, unmatched: drafter.unmatched };
}

test('a row of a plan reads back as it was written, whatever it holds', () => {
  const text = fc.string({ unit: 'binary' });
  const maybe = fc.option(text, { nil: undefined });
  const row = fc.record({
    source: text,
    etag: text,
    size: fc.nat(),
    destination: text,
    storageClass: maybe,
    destinationEtag: maybe,
  });
  fc.assert(
    fc.property(row, fc.constantFrom('Copy', 'Skip', 'Unchanged'), (some, action) => {
      expect(parsePlanRow(formatPlanRow(some, action))).toEqual({ ...some, action });
    }),
  );
});

test('rows that were recognised are found by their numbers, in whatever order they came', () => {
  const some = fc.uniqueArray(fc.tuple(fc.nat(500), fc.nat(2 ** 40)), {
    maxLength: 200,
    selector: ([row]) => row,
  });
  fc.assert(
    fc.property(some, (pairs) => {
      const rows = new RecognisedRows();
      for (const [row, position] of pairs) rows.add(row, position);
      const known = new Map(pairs);
      for (let row = 0; row <= 500; row += 1) expect(rows.positionOf(row)).toBe(known.get(row));
    }),
  );
});

describe('the rows that rules make', () => {
  test('are valid keys, or problems, for all keys that there are', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(key, { maxLength: 10 }),
        fc.array(rule, { minLength: 1, maxLength: 3 }),
        (keys, rules) => {
          const { rows, refused, unmatched } = draft(keys, rules);
          for (const { destination } of rows) {
            expect(destination.startsWith(prefix) && destination.isWellFormed()).toBe(true);
            expect(Buffer.byteLength(destination)).toBeLessThanOrEqual(1024);
          }
          expect(rows.length + refused + unmatched).toBe(keys.length);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('have keys as they are: nothing is taken for a path or a URL', () => {
    fc.assert(
      fc.property(fc.uniqueArray(key, { maxLength: 10 }), fc.constantFrom(undefined, 10), (keys, memory) => {
        const { rows } = draft(keys, [{ match: '(?<a>[^]*)', replace: '{a}' }], memory);
        expect(rows.map(({ source, destination }) => [source, destination])).toEqual(
          keys.map((name) => [name, prefix + name]),
        );
      }),
    );
  });

  test('never hold half of a character', () => {
    const { rows, refused } = draft(['\u{1F600}'], [{ match: '^(?<a>.)', replace: '{a}' }]);
    expect([rows, refused]).toEqual([[], 1]);
  });
});
