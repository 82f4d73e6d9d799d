import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseRules, rename } from '../../workers/contract/rename.ts';
import { enableLinearExpressions } from '../../workers/copy/linear.ts';

beforeAll(() => enableLinearExpressions());

const keys = fc.string({ unit: 'binary', minLength: 1, maxLength: 80 }).filter((key) => key.isWellFormed());
const facts = (key: string) => ({
  key,
  size: 1,
  lastModified: '2026-01-01T00:00:00Z',
  hash: () => 'ab'.repeat(16),
});

describe('rename rules', () => {
  test('parsing never throws, and accepted rules never throw on any key', () => {
    const pieces = fc.constantFrom(
      'a',
      '.',
      '*',
      '+',
      '?',
      '(',
      ')',
      '[',
      ']',
      '^',
      '$',
      '|',
      '\\d',
      '(?<x>',
      '(?=',
      '{',
      '}',
      '2',
      ',',
      '\\',
      '/',
      '-',
    );
    const marks = fc.constantFrom(
      '{x}',
      '{key}',
      '{',
      '}',
      '{{',
      '}}',
      '|lower',
      '{ext|pad:3}',
      '{date:YYYY}',
      '{hash:4}',
      'é',
      '/',
      '{dir}',
    );
    const match = fc.array(pieces, { minLength: 1, maxLength: 10 }).map((parts) => parts.join(''));
    const replace = fc.array(marks, { minLength: 1, maxLength: 6 }).map((parts) => parts.join(''));
    const everything = () =>
      fc.assert(
        fc.property(match, replace, fc.array(keys, { maxLength: 5 }), (m, r, some) => {
          const parsed = parseRules([{ match: m, replace: r }]);
          if (!parsed.ok) {
            return parsed.problems.every(({ message }) =>
              /^rename\[0\]\.(match|replace), character \d+: /.test(message),
            );
          }
          for (const key of some) rename(parsed.rules, facts(key));
          return true;
        }),
        { numRuns: 2_000 },
      );
    expect(everything).not.toThrow();
  });

  test('literal text with doubled braces comes out as it is', () => {
    fc.assert(
      fc.property(keys, (text) => {
        const parsed = parseRules([{ match: '', replace: text.replaceAll('{', '{{').replaceAll('}', '}}') }]);
        expect(parsed.ok && rename(parsed.rules, facts('k'))?.key).toBe(text);
      }),
    );
  });

  test('a group that takes the whole key gives it back', () => {
    const parsed = parseRules([{ match: '^(?<all>[^]*)$', replace: '{all}' }]);
    const property = fc.property(keys, (key) => (parsed.ok && rename(parsed.rules, facts(key))?.key) === key);
    expect(fc.check(property).failed).toBe(false);
  });
});
