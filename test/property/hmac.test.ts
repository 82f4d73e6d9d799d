import { createHmac } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { HmacKey } from '../../workers/s3/hmac.ts';

test('signatures are those of Node, for any key and one text after the other', () => {
  const keys = fc.uint8Array({ maxLength: 64 });
  const texts = fc.array(fc.string({ unit: 'binary-ascii', maxLength: 2_000 }), {
    minLength: 1,
    maxLength: 5,
  });
  fc.assert(
    fc.property(keys, texts, (key, all) => {
      const ours = new HmacKey(key);
      const expected = all.map((text) => createHmac('sha256', key).update(text).digest('hex'));
      expect(all.map((text) => ours.sign(text))).toEqual(expected);
    }),
  );
  expect(() => new HmacKey(new Uint8Array(65))).toThrow(RangeError);
});
