import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KeyLineReader, type KeyLine } from '../../workers/copy/keylines.ts';

/** Reads a list that comes in blocks of the given sizes. */
function read(bytes: Buffer, sizes: readonly number[]): KeyLine[] {
  const reader = new KeyLineReader();
  const lines: KeyLine[] = [];
  let at = 0;
  for (const size of sizes) {
    lines.push(...reader.read(bytes.subarray(at, at + size)));
    at += size;
  }
  lines.push(...reader.read(bytes.subarray(at)), ...reader.finish());
  return lines;
}

const sizes = fc.array(fc.nat(40), { maxLength: 20 });
const key = fc
  .string({ unit: 'binary', maxLength: 30 })
  .filter((text) => text.isWellFormed() && !text.includes('\n') && !text.endsWith('\r'))
  .filter((text) => !text.startsWith('\ufeff'));

describe('lines of a key list', () => {
  test('are the keys that were written, however they are cut into blocks', () => {
    fc.assert(
      fc.property(fc.array(key, { maxLength: 20 }), fc.boolean(), sizes, (keys, ended, cuts) => {
        const bytes = Buffer.from(keys.join('\n') + (ended ? '\n' : ''));
        const expected = keys
          .map((text, n) => ({ line: n + 1, key: text }))
          .filter((line) => line.key !== '');
        expect(read(bytes, cuts)).toEqual(expected);
      }),
    );
  });

  test('of any bytes at all are keys in UTF-8 of at most 1,024 bytes, or problems', () => {
    const bytes = fc.uint8Array({ maxLength: 4_000 }).map((some) => Buffer.from(some));
    fc.assert(
      fc.property(bytes, sizes, (body, cuts) => {
        const lines = read(body, cuts);
        const keys = lines.flatMap((line) => ('key' in line ? [line.key] : []));
        expect(keys.every((text) => text.isWellFormed() && Buffer.byteLength(text) <= 1024)).toBe(true);
        const full = body
          .toString('latin1')
          .split('\n')
          .filter((text) => text !== '');
        expect(lines).toHaveLength(full.length);
      }),
    );
  });
});
