/** Examples with something replaced, as a source of objects that are almost right. */
import * as fc from 'fast-check';
import { INVALID } from './invalid.ts';
import { VALID } from './valid.ts';

/** Values that tend to be on the wrong side of a bound, a type or a form. */
const value = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    '',
    0,
    -1,
    1.5,
    1e20,
    [],
    {},
    [null],
    '/data',
    '/proc/x',
    'arrange',
    'A',
    'a'.repeat(64),
    '1Gi',
    '{runUID}',
    '{',
    'https://s3',
    'lake',
    'ä',
    'a\nb',
    'a\u0000',
  ),
  fc.jsonValue({ maxDepth: 1 }),
  fc.string({ maxLength: 8 }),
  fc.integer(),
);

/** A spec from the table in which one member somewhere has been replaced or removed. */
export const spoilt = fc
  .tuple(
    fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...VALID) },
      { weight: 1, arbitrary: fc.constantFrom(...INVALID) },
    ),
    fc.array(fc.nat(11), { minLength: 1, maxLength: 7 }),
    fc.oneof({ weight: 1, arbitrary: fc.constant(undefined) }, { weight: 3, arbitrary: value }),
  )
  .map(([example, way, replacement]) => replaceAt(example.spec, way, replacement));

function replaceAt(node: unknown, way: readonly number[], replacement: unknown): unknown {
  const [step, ...rest] = way;
  if (step === undefined || typeof node !== 'object' || node === null) return replacement;
  const keys = Object.keys(node);
  const key = keys[step % Math.max(keys.length, 1)];
  if (key === undefined) return replacement;
  const entries = Object.entries(node)
    .map(([name, child]): [string, unknown] => [
      name,
      name === key ? replaceAt(child, rest, replacement) : child,
    ])
    .filter(([, child]) => child !== undefined);
  return Array.isArray(node) ? entries.map(([, child]) => child) : Object.fromEntries(entries);
}
