import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ancestorsOf, isPath, normaliseKey } from '../../workers/copy/equivalence.ts';
import { keyEquivalence } from '../../workers/contract/copyplan.ts';
import type { KeySpace } from '../../workers/copy/proof.ts';
import { prove, SameHash, type Found, type Rename } from '../support/proofbed.ts';

/** The same as a proof, by comparing everything with everything. */
function model(renames: readonly Rename[], existing: readonly string[], space: KeySpace): Found {
  const see = (key: string) => normaliseKey(key, space.equivalence);
  const above = (path: string) => (isPath(space.equivalence) ? [...ancestorsOf(path)] : []);
  const rows = renames.map(([source, destination], row) => {
    const { path, directory } = see(destination);
    return { row, from: see(source).path, path, directory, above: above(path) };
  });
  const isUnchanged = ({ from, path }: { from: string; path: string }) => space.oneSpace && from === path;
  const clashes = rows.flatMap((row) => {
    const before = rows.slice(0, row.row);
    const found: string[] = [];
    if (before.some(({ path }) => path === row.path)) found.push(`same ${row.row}`);
    // One problem per pair of a file and a directory, for the first row that needs the directory.
    for (const directory of row.above) {
      const file = rows.find(({ path }) => path === directory);
      const isFirst = !before.some((earlier) => earlier.above.includes(directory));
      if (file?.directory === false && isFirst) found.push(`ancestor ${row.row}`);
    }
    // One per destination, however many rows have it.
    const isSource = rows.some((other) => !isUnchanged(other) && other.from === row.path);
    if (space.oneSpace && isSource && !before.some(({ path }) => path === row.path))
      found.push(`chain ${row.row}`);
    return found;
  });
  const meetings = existing.flatMap((key) => {
    const { path, directory } = see(key);
    const same = rows.find((row) => row.path === path);
    const found = same === undefined ? [] : [`same ${same.row} ${key}`];
    const needs = directory ? undefined : rows.find((row) => row.above.includes(path));
    if (same === undefined && needs !== undefined) found.push(`ancestor ${needs.row} ${key}`);
    for (const ancestor of above(path)) {
      const first = rows.find((row) => row.path === ancestor);
      if (first?.directory === false) found.push(`ancestor ${first.row} ${key}`);
    }
    return found;
  });
  const unchanged = rows.filter(isUnchanged).map(({ row }) => row);
  return { clashes: clashes.toSorted(), meetings: meetings.toSorted(), unchanged };
}

const segment = fc.constantFrom('a', 'b', 'A', 'é', 'e\u0301', '.', '..', '', 'a b');
const key = fc
  .array(segment, { minLength: 1, maxLength: 4 })
  .map((segments) => segments.join('/'))
  .filter((text) => text !== '');
const space = fc.record({
  equivalence: fc.constantFrom(...keyEquivalence.options),
  oneSpace: fc.boolean(),
} as const);
const renames = fc
  .array(fc.tuple(key, key), { maxLength: 12 })
  .map((some) => [...new Map(some.map((pair) => [pair[0], pair]))].map(([, pair]) => pair));
const existing = fc.uniqueArray(key, { maxLength: 6 });

describe('the proof of a plan', () => {
  test('finds what a comparison of everything with everything finds', async () => {
    await fc.assert(
      fc.asyncProperty(renames, existing, space, async (some, there, where) => {
        expect(await prove(some, there, where)).toEqual(model(some, there, where));
      }),
      { numRuns: 1_000 },
    );
  });

  test('is exact even where all hashes are equal', async () => {
    // Directories are told by their hashes from those above them, so this is about keys alone.
    const flat = fc.record({
      equivalence: fc.constantFrom('Exact', 'NFC', 'CaseInsensitive'),
      oneSpace: fc.boolean(),
    } as const);
    await fc.assert(
      fc.asyncProperty(renames, existing, flat, async (some, there, where) => {
        expect(await prove(some, there, where, { hash: new SameHash() })).toEqual(model(some, there, where));
      }),
      { numRuns: 500 },
    );
  });

  test('is the same on the disk as in memory', async () => {
    await fc.assert(
      fc.asyncProperty(renames, existing, space, async (some, there, where) => {
        expect(await prove(some, there, where, { memory: 50 })).toEqual(model(some, there, where));
      }),
      { numRuns: 300 },
    );
  });

  test('goes on where many keys meet', async () => {
    const many: Rename[] = Array.from({ length: 60_000 }, (_, n) => [`in/${n}`, `out/${n % 59_990}`]);
    const there = ['out/7', 'out/59989', 'out/59990', 'else/1'];
    const { clashes, meetings } = await prove(many, there, { equivalence: 'Posix', oneSpace: false });
    expect(clashes).toEqual(Array.from({ length: 10 }, (_, n) => `same ${59_990 + n}`));
    expect(meetings).toEqual(['same 59989 out/59989', 'same 7 out/7']);
  });
});
