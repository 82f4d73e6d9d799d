import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { validateSpec } from '../../operator/api/validate.ts';
import { spoilt } from '../support/examples/spoil.ts';

test('whatever stands in spec, validateSpec answers with problems and does not throw', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.string(), (spec, name) => {
      expect(Array.isArray(validateSpec(spec, name))).toBe(true);
    }),
  );
});

test('a spoilt example gives problems with a path and a sentence, or none', () => {
  fc.assert(
    fc.property(spoilt, (spec) => {
      for (const { path, message } of validateSpec(spec, 'example')) {
        expect(path).toMatch(/^spec(\.|\[|$)/);
        expect(message).not.toBe('');
        expect(message).not.toContain('undefined');
      }
    }),
    { numRuns: 500 },
  );
});
