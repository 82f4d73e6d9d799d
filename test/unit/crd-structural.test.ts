import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { rootSchema } from '../../crds/crd.ts';
import { findProblems, findUndescribed, toStructural } from '../../crds/structural.ts';

test('the schema of the PipelineRun is structural and bounded', () => {
  const { properties } = rootSchema();
  const members = Object.entries({ spec: properties?.['spec'], status: properties?.['status'] });
  expect(members.flatMap(([name, node]) => findProblems(node ?? {}, name))).toEqual([]);
});

test('every field has a description for kubectl explain', () => {
  const root = rootSchema();
  // Kubernetes describes metadata itself, and lets nobody else do it.
  expect(findUndescribed(root)).toEqual(['.metadata']);
});

test('the description of every field ends like a sentence', () => {
  const texts = JSON.stringify(rootSchema()).matchAll(/"description":"((?:[^"\\]|\\.)*)"/g);
  const odd = [...texts].map((found) => found[1] ?? '').filter((text) => !/[.}]$/.test(text));
  expect(odd).toEqual([]);
});

describe('what the API server would refuse is refused when the CRD is made', () => {
  const bounded = z.string().max(5);
  test.each<[string, z.ZodType, string]>([
    ['a union', z.object({ a: z.union([bounded, z.int32()]) }), 'anyOf'],
    [
      'a union of objects',
      z.object({
        a: z.discriminatedUnion('t', [z.object({ t: z.literal('x') }), z.object({ t: z.literal('y') })]),
      }),
      'Of is not allowed',
    ],
    ['a closed object', z.object({ a: z.strictObject({ b: bounded }) }), 'additionalProperties'],
    ['an open object', z.object({ a: z.looseObject({ b: bounded }) }), 'additionalProperties'],
    ['anything', z.object({ a: z.unknown() }), 'has no type'],
    ['a default', z.object({ a: bounded.default('x') }), 'default'],
    ['an unbounded string', z.object({ a: z.string() }), 'maxLength'],
    ['an unbounded list', z.object({ a: z.array(bounded) }), 'maxItems'],
    ['an unbounded map', z.object({ a: z.record(z.string(), bounded) }), 'maxProperties'],
    ['look-ahead in a pattern', z.object({ a: bounded.regex(/a(?!b)/) }), 'RE2'],
  ])('%s', (_, schema, word) => {
    expect(() => toStructural(schema)).toThrow(word);
  });

  test('what has no JSON form at all', () => {
    expect(() => toStructural(z.object({ a: z.date() }))).toThrow('Date');
  });
});

test('a pattern gives way to the rule that says the same with a message', () => {
  const matches = { 'x-kubernetes-validations': [{ rule: "self.matches('^a$')", message: 'must be a' }] };
  const schema = z.object({
    a: z.string().max(1).regex(/^a$/).meta(matches),
    b: z.string().max(1).regex(/^b$/),
  });
  expect(toStructural(schema).properties).toMatchObject({
    a: { type: 'string', maxLength: 1, ...matches },
    b: { pattern: '^b$' },
  });
  expect(toStructural(schema).properties?.['a']).not.toHaveProperty('pattern');
});
