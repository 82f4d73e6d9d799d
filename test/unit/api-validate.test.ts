import { describe, expect, test } from 'vitest';
import { validateSpec } from '../../operator/api/validate.ts';
import { INVALID } from '../support/examples/invalid.ts';
import { VALID } from '../support/examples/valid.ts';

test('the table of examples is as large as promised, and each has its own title', () => {
  expect(VALID.length).toBeGreaterThanOrEqual(15);
  expect(INVALID.length).toBeGreaterThanOrEqual(40);
  const titles = [...VALID, ...INVALID].map((example) => example.title);
  expect(new Set(titles).size).toBe(titles.length);
});

describe('validateSpec accepts', () => {
  test.each(VALID)('$title', ({ spec, name = 'example' }) => {
    expect(validateSpec(spec, name)).toEqual([]);
  });
});

describe('validateSpec refuses', () => {
  test.each(INVALID)('$title', ({ spec, name = 'example', path, says }) => {
    const problems = validateSpec(spec, name);
    expect(problems).toContainEqual({ path, message: expect.stringContaining(says) });
    for (const problem of problems) expect(problem.message).not.toMatch(/^Invalid|Expected|undefined/);
  });
});

test.each([[undefined], [null], [3], ['text'], [[]]])(
  'a spec that is %j is refused, not thrown upon',
  (spec) => {
    expect(validateSpec(spec, 'example')).toEqual([
      { path: 'spec', message: expect.stringContaining('an object') },
    ]);
  },
);

test('every problem is named, not only the first', () => {
  const spec = { stages: [{ name: 'a', dependsOn: ['x', 'y'] }] };
  expect(validateSpec(spec, 'example').map((problem) => problem.path)).toEqual([
    'spec.stages[0].dependsOn[0]',
    'spec.stages[0].dependsOn[1]',
    'spec.stages[0]',
  ]);
});
