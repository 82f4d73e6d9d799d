import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { normaliseKey } from '../../workers/copy/equivalence.ts';

const fold = (key: string): string => normaliseKey(key, 'CaseInsensitive').path;

/** All characters that have another case or form, or that change the one before them. */
const special: readonly string[] = Array.from({ length: 0x11_0000 }, (_, code) => code)
  .filter((code) => code < 0xac00 || code > 0xdfff)
  .map((code) => String.fromCodePoint(code))
  .filter(
    (text) =>
      text.toLowerCase() !== text ||
      text.toUpperCase() !== text ||
      text.normalize('NFD') !== text ||
      /\p{Mark}/u.test(text),
  );
/** Letters and marks of which more than one make one, or change their order when they become capitals. */
const letters = [
  ...Array.from('aSsKIi/.αΑάσΣςßẞſµİı'),
  '\u0300',
  '\u0301',
  '\u0307',
  '\u0345',
  '\u0327',
  '\u0338',
  '\u212A',
];

function variantsOf(key: string): readonly string[] {
  const decomposed = key.normalize('NFD');
  return [decomposed, key.normalize('NFC'), decomposed.toLowerCase(), decomposed.toUpperCase()];
}

describe('keys that differ in case or composition alone', () => {
  test.each([
    ['STRASSE', 'straße'],
    ['STRA\u1E9EE', 'straße'],
    ['ΟΔΟΣ', 'οδος'],
    ['ΟΔΟΣ', 'οδοσ'],
    ['ſ', 'S'],
    ['\u212A', 'k'],
    ['µ', 'μ'],
    ['e\u0301', 'É'],
    ['DŽ', 'dž'],
  ])('%s and %s are one', (one, other) => {
    expect(fold(one)).toBe(fold(other));
  });

  test('are one for every character, which keeps its form when it is folded again', () => {
    const wrong = special.filter((text) => {
      const once = fold(text);
      return fold(once) !== once || variantsOf(text).some((variant) => fold(variant) !== once);
    });
    expect(wrong).toEqual([]);
  });

  test('are one where a search without regard to case says so', () => {
    const all = special.filter((text) => /\p{Cased}/u.test(text)).join('');
    for (const text of all) {
      const found = [...all.matchAll(new RegExp(text, 'giu'))].map(([other]) => fold(other));
      expect(new Set(found)).toEqual(new Set([fold(text)]));
    }
  });

  test('are one in any words and paths', () => {
    const word = fc.array(fc.constantFrom(...letters, ...special.slice(0, 400)), { maxLength: 8 });
    const text = word.map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, text, (above, name) => {
        const key = `${above}/${name}`;
        expect(new Set(variantsOf(key).map(fold))).toEqual(new Set([fold(key)]));
        expect(fold(fold(key))).toBe(fold(key));
        // A directory is the same wherever it stands.
        expect(fold(key)).toBe(`${fold(above)}/${fold(name)}`);
      }),
      { numRuns: 5_000 },
    );
  });

  test('others are told apart', () => {
    for (const [one, other] of [
      ['a', 'b'],
      ['é', 'e'],
      ['o', 'ö'],
      ['σ', 'ο'],
    ] as const)
      expect(fold(one)).not.toBe(fold(other));
  });
});
