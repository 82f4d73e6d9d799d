import { describe, expect, test } from 'vitest';
import { normaliseKey } from '../../workers/copy/equivalence.ts';
import { prove } from '../support/proofbed.ts';

describe('the proof that destinations do not exclude each other', () => {
  test.each([
    ['Exact', ['a', 'a//b', 'a/b', 'a/', 'A', 'é', 'e\u0301'], []],
    ['Exact', ['a', 'b', 'a'], ['same 2']],
    ['Posix', ['a/b', 'a//b'], ['same 1']],
    ['Posix', ['a/b', './a/c/../b'], ['same 1']],
    ['Posix', ['/a', 'a'], ['same 1']],
    ['Posix', ['a/', 'a'], ['same 1']],
    ['Posix', ['a', 'a/b'], ['ancestor 1']],
    ['Posix', ['a/b/c/d', 'x', 'a/b'], ['ancestor 0']],
    ['Posix', ['a/b/c', 'a/b/d', 'a/bc', 'a/b.c', 'a/', 'b'], []],
    ['NFC', ['é', 'e\u0301'], ['same 1']],
    ['NFC', ['a', 'a/b', 'A'], []],
    ['CaseInsensitive', ['Key', 'kEY'], ['same 1']],
    ['PosixCaseInsensitive', ['A//b', 'a/B'], ['same 1']],
    ['PosixCaseInsensitive', ['DIR', 'dir/x'], ['ancestor 1']],
    ['PosixNFC', ['é/a', 'e\u0301//a', 'É/a'], ['same 1']],
  ] as const)('%s: %j', async (equivalence, keys, expected) => {
    const renames = keys.map((key, row) => [`source-${row}`, key] as const);
    expect((await prove(renames, [], { equivalence, oneSpace: false })).clashes).toEqual(expected);
  });

  test('inside one bucket, chains and swaps are found, and a row onto itself is unchanged', async () => {
    const renames = [
      ['a', 'b'],
      ['b', 'c'],
      ['x', 'y'],
      ['y', 'x'],
      ['same', 'same'],
      ['last', 'else'],
    ] as const;
    const found = await prove(renames, [], { equivalence: 'Exact', oneSpace: true });
    expect(found.clashes).toEqual(['chain 0', 'chain 2', 'chain 3']);
    expect(found.unchanged).toEqual([4]);
  });

  test('inside one bucket, a row is unchanged only where all stores take its keys for one, else a chain', async () => {
    const renames = [
      ['Key', 'kEY'],
      ['straße', 'STRASSE'],
      ['e\u0301', 'É'],
      ['ΟΔΟΣ', 'οδος'],
      ['İ', 'i\u0307'],
      ['\u212A1', 'k1'],
      ['Σ1', 'σ1'],
      ['d/Same', 'd/Same'],
    ] as const;
    for (const equivalence of ['CaseInsensitive', 'PosixCaseInsensitive'] as const) {
      const found = await prove(renames, [], { equivalence, oneSpace: true });
      expect(found.clashes).toEqual(['chain 1', 'chain 3', 'chain 4']);
      expect(found.unchanged).toEqual([0, 2, 5, 6, 7]);
    }
    const paths = { equivalence: 'PosixCaseInsensitive', oneSpace: true } as const;
    expect((await prove([['A//b', 'a/B']], [], paths)).unchanged).toEqual([0]);
  });

  test('existing keys are found under the same equivalence, also above and below', async () => {
    const existing = ['a//b/c', 'a/b', 'a/b/c/d', 'a/b/', 'a/b/d'];
    const found = await prove([['s', 'a/b/c']], existing, { equivalence: 'Posix', oneSpace: false });
    expect(found.meetings).toEqual(['ancestor 0 a/b', 'ancestor 0 a/b/c/d', 'same 0 a//b/c']);
  });

  test.each(['a', 'a/b', '.a', 'a/.b', 'a..b', '...', 'a/...', 'é/x y'])('%j is an ordinary path', (key) => {
    expect(normaliseKey(key, 'Posix').path).toBe(key);
  });
});
