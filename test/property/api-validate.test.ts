import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { validateSpec } from '../../operator/api/validate.ts';
import { VALID } from '../support/examples/valid.ts';

test('whatever stands in spec, validateSpec answers with problems and does not throw', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.string(), (spec, name) => {
      expect(Array.isArray(validateSpec(spec, name))).toBe(true);
    }),
  );
});

/** A valid example in which one member somewhere has been replaced by any JSON. */
const spoilt = fc
  .tuple(fc.constantFrom(...VALID), fc.array(fc.nat(7), { maxLength: 6 }), fc.jsonValue({ maxDepth: 1 }))
  .map(([example, way, value]) => replaceAt(example.spec, way, value));

function replaceAt(node: unknown, way: readonly number[], value: unknown): unknown {
  const [step, ...rest] = way;
  if (step === undefined || typeof node !== 'object' || node === null) return value;
  const keys = Object.keys(node);
  const key = keys[step % Math.max(keys.length, 1)];
  if (key === undefined) return value;
  const entries = Object.entries(node).map(([name, child]) => [
    name,
    name === key ? replaceAt(child, rest, value) : child,
  ]);
  return Array.isArray(node) ? entries.map(([, child]) => child) : Object.fromEntries(entries);
}

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
