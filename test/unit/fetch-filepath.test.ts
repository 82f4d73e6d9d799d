import { describe, expect, test } from 'vitest';
import { checkFilePath, filePathOf } from '../../workers/train/filepath.ts';

describe('the file of a key', () => {
  test.each([
    ['digits/label=3/a.png', 'digits/', 'label=3/a.png'],
    ['digits/label=3/a.png', 'digits', 'label=3/a.png'],
    ['2026-01/x', '2026-', '01/x'],
    ['models/net.bin', 'models/net.bin', 'net.bin'],
    ['a b/ü+%?#&=\'"<>{}~.txt', '', 'a b/ü+%?#&=\'"<>{}~.txt'],
    ['a\\..\\b', '', 'a\\..\\b'],
    ['...', '', '...'],
  ])('%j under %j is %j', (key, prefix, path) => {
    expect(filePathOf(key, prefix)).toBe(path);
  });

  test.each([['digits/'], ['digits/label=3/'], ['/']])('%j marks a directory and is no file', (key) => {
    expect(filePathOf(key, 'digits/')).toBeUndefined();
  });

  test.each([
    ['digits/../etc/passwd', 'digits/', 'leave its directory'],
    ['..', '', 'leave its directory'],
    ['a/./b', '', 'leave its directory'],
    ['/etc/passwd', '', 'absolute'],
    ['digits//etc/passwd', 'digits/', 'absolute'],
    ['a//b', '', 'empty part'],
    ['a\0b', '', 'NUL'],
    [`${'x'.repeat(256)}/y`, '', '255 bytes'],
    ['ü'.repeat(128), '', '255 bytes'],
  ])('%j under %j is refused', (key, prefix, words) => {
    expect(() => filePathOf(key, prefix)).toThrow(words);
    expect(() => filePathOf(key, prefix)).toThrow('key "');
  });

  test('a path that a manifest names is checked as well', () => {
    expect(() => checkFilePath('../token', 'models/token')).toThrow('key "models/token"');
    expect(() => checkFilePath('', 'models/')).toThrow('empty part');
  });
});
