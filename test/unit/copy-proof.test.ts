import { describe, expect, test } from 'vitest';
import { DestinationProof, normaliseKey } from '../../workers/copy/proof.ts';

function firstClash(equivalence: 'Exact' | 'Posix' | 'NFC' | 'CaseInsensitive', ...keys: string[]) {
  const proof = new DestinationProof(equivalence);
  for (const [row, key] of keys.entries()) {
    const clash = proof.add(row, key);
    if (clash !== undefined) return { ...clash, at: row };
  }
  return undefined;
}

describe('the proof that destinations do not exclude each other', () => {
  test.each([
    ['Exact', ['a', 'a//b', 'a/b', 'a/', 'A', 'é', 'e\u0301'], undefined],
    ['Exact', ['a', 'b', 'a'], { kind: 'same', row: 0, at: 2 }],
    ['Posix', ['a/b', 'a//b'], { kind: 'same', row: 0, at: 1 }],
    ['Posix', ['a/b', './a/c/../b'], { kind: 'same', row: 0, at: 1 }],
    ['Posix', ['/a', 'a'], { kind: 'same', row: 0, at: 1 }],
    ['Posix', ['a/', 'a'], { kind: 'same', row: 0, at: 1 }],
    ['Posix', ['a', 'a/b'], { kind: 'ancestor', row: 0, at: 1 }],
    ['Posix', ['a/b/c/d', 'x', 'a/b'], { kind: 'ancestor', row: 0, at: 2 }],
    ['Posix', ['a/b/c', 'a/b/d', 'a/bc', 'a/b.c', 'a/', 'b'], undefined],
    ['NFC', ['é', 'e\u0301'], { kind: 'same', row: 0, at: 1 }],
    ['NFC', ['a', 'a/b', 'A'], undefined],
    ['CaseInsensitive', ['Key', 'kEY'], { kind: 'same', row: 0, at: 1 }],
  ] as const)('%s: %j', (equivalence, keys, expected) => {
    expect(firstClash(equivalence, ...keys)).toEqual(expected);
  });

  test('existing keys are found under the same equivalence, also above and below', () => {
    const proof = new DestinationProof('Posix');
    proof.add(0, 'a/b/c');
    expect(proof.existing('a//b/c')).toEqual({ kind: 'same', row: 0 });
    expect(proof.existing('a/b')).toEqual({ kind: 'ancestor', row: 0 });
    expect(proof.existing('a/b/c/d')).toEqual({ kind: 'ancestor', row: 0 });
    expect(proof.existing('a/b/')).toBeUndefined();
    expect(proof.existing('a/b/d')).toBeUndefined();
  });

  test.each(['a', 'a/b', '.a', 'a/.b', 'a..b', '...', 'a/...', 'é/x y'])('%j is an ordinary path', (key) => {
    expect(normaliseKey(key, 'Posix').path).toBe(key);
  });
});
