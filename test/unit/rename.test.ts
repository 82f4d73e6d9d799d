import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseRules, rename, type RuleText } from '../../workers/contract/rename.ts';
import { enableLinearExpressions } from '../../workers/copy/linear.ts';

beforeAll(() => enableLinearExpressions());

function apply(key: string, ...texts: RuleText[]): string | undefined {
  const parsed = parseRules(texts);
  if (!parsed.ok) throw new Error(parsed.problems.map((problem) => problem.message).join('; '));
  const hash = (): string => createHash('sha256').update(key).digest('hex');
  return rename(parsed.rules, { key, size: 42, lastModified: '2026-02-03T04:05:06.789Z', hash })?.key;
}

function problemsOf(...texts: RuleText[]): string[] {
  const parsed = parseRules(texts);
  return parsed.ok ? [] : parsed.problems.map((problem) => problem.message);
}

describe('renaming', () => {
  test.each([
    [
      '0101/IMG_5_7.png',
      '^(?<day>[^/]+)/IMG_(?<n>\\d+)_(?<label>\\d)\\.png$',
      'label={label}/{day}-{n}.png',
      'label=7/0101-5.png',
    ],
    ['a/b/c.tar.gz', '.', '{dir}|{stem}|{ext}|{key}|{size}', 'a/b|c.tar|gz|a/b/c.tar.gz|42'],
    ['.bashrc', '.', '<{dir}><{stem}><{ext}>', '<><.bashrc><>'],
    ['x', 'x', '{date:YYYY-MM-DD}/{date:HHmmss}', '2026-02-03/040506'],
    ['IMG_7', '(?<n>\\d+)', '{n|pad:6}', '000007'],
    ['Abc', '(?<x>b)', '{key|upper}-{key|lower}-{x|upper|pad:3}', 'ABC-abc-00B'],
    ['x', 'x', 'a{{b}}c{{{{', 'a{b}c{{'],
    ['ac', 'a(?<b>b)?c', '[{b}]', '[]'],
    ['y2', '(?:x(?<n>\\d)|y(?<n>\\d))', 'n{n}', 'n2'],
    ['sub/match/here', 'match', 'whole', 'whole'],
    ['\u{1F600}é', '(?<all>.*)', '{all}', '\u{1F600}é'],
  ])('%j by %s to %s is %j', (key, match, replace, expected) => {
    expect(apply(key, { match, replace })).toBe(expected);
  });

  test('the hash is of the key and as long as asked for', () => {
    const digest = createHash('sha256').update('x').digest('hex');
    expect(apply('x', { match: 'x', replace: '{hash:4}/{hash:32}' })).toBe(
      `${digest.slice(0, 4)}/${digest.slice(0, 32)}`,
    );
  });

  test('the first rule that matches wins, and none may match', () => {
    const rules = [
      { match: '^a', replace: 'first' },
      { match: 'b', replace: 'second' },
    ];
    expect(apply('ab', ...rules)).toBe('first');
    expect(apply('cb', ...rules)).toBe('second');
    expect(apply('c', ...rules)).toBeUndefined();
  });

  test('an expression that would backtrack for ever is still fast', () => {
    // 2^1000 steps for a backtracking engine: this test ends at all only where the linear engine takes over.
    expect(apply(`${'a'.repeat(1000)}!`, { match: '^(a+)+$', replace: 'x' })).toBeUndefined();
  });
});

describe('rules that are refused say where and what to do', () => {
  test.each([
    ['look-ahead', 'a(?=b)', 'x', 'rename[0].match, character 2: look-around is not linear-time'],
    ['negative look-ahead', '^(?!x)', 'x', 'rename[0].match, character 2: look-around'],
    ['look-behind', '(?<=a)b', 'x', 'rename[0].match, character 1: look-around'],
    ['negative look-behind', '(?<!a)b', 'x', 'rename[0].match, character 1: look-around'],
    [
      'numbered back-reference',
      '(a)\\1',
      'x',
      'rename[0].match, character 4: back-references are not linear-time',
    ],
    ['named back-reference', '(?<q>a)\\k<q>', 'x', 'rename[0].match, character 8: back-references'],
    ['inline flag', '(?i:a)', 'x', 'rename[0].match, character 1: inline flags are not supported'],
    [
      'large repetition',
      '(?:a{1,100}){1,100}',
      'x',
      'rename[0].match, character 11: cannot run in linear time',
    ],
    [
      'broken expression',
      'a(b',
      'x',
      'rename[0].match, character 2: not a regular expression (Unterminated group)',
    ],
    ['reserved group', '(?<ext>a)', 'x', 'rename[0].match, character 1: {ext} has a meaning of its own'],
    ['unknown name', '(?<day>a)', 'a/{dya}', 'rename[0].replace, character 3: unknown name {dya}; use {key}'],
    ['numbered group', '(a)', '{1}', 'give the group a name: (?<name>…)'],
    ['open brace', 'a', 'x{key', 'rename[0].replace, character 2: this { is never closed; write {{'],
    ['closing brace', 'a', 'x}', 'rename[0].replace, character 2: a single } stands for nothing; write }}'],
    ['unknown filter', 'a', '{key|title}', 'unknown filter "title"; filters are |lower, |upper and |pad:6'],
    ['pad without width', 'a', '{key|pad:0}', 'unknown filter "pad:0"'],
    ['date without tokens', 'a', '{date:yyyy}', '{date:…} is made of YYYY MM DD HH mm ss'],
    ['hash too long', 'a', '{hash:33}', '{hash:n} takes a number of hex digits from 1 to 32'],
  ])('%s', (_name, match, replace, message) => {
    expect(problemsOf({ match, replace })).toEqual([expect.stringContaining(message)]);
  });

  test('the groups of the expression are offered', () => {
    expect(problemsOf({ match: '(?<day>a)(?<n>b)', replace: '{x}' })[0]).toContain(
      'a group of match: {day} {n}',
    );
  });

  test('every rule with a problem is named', () => {
    const messages = problemsOf(
      { match: '(?=a)', replace: 'x' },
      { match: 'a', replace: 'x' },
      { match: 'a', replace: '{' },
    );
    expect(messages.map((message) => message.slice(0, 9))).toEqual(['rename[0]', 'rename[2]']);
  });

  test.each(['\\(?=a', '[(?=]a', '\\\\1', '[\\1]a', 'a(?:b)c', '(?<x>a)', '\\d{1,5}'])(
    '%s is none of these',
    (match) => {
      expect(problemsOf({ match, replace: 'x' })).toEqual([]);
    },
  );
});

describe('the place of a fault in an expression', () => {
  test.each([
    ['a**', 3],
    ['ab)c', 3],
    ['x(a(b', 4],
    ['x[a-', 2],
    ['a[z-a]', 5],
    ['(?<x>a)\\', 8],
    ['ok(?<1>b)', 4],
    ['ab{1,1000}c', 10],
  ])('%s: character %i', (match, character) => {
    expect(problemsOf({ match, replace: 'x' })[0]).toContain(`rename[0].match, character ${character}: `);
  });
});
