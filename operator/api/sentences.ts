/** What zod found, as sentences that say what to change. */
import type { z } from 'zod';
import type { Problem } from './crossfield.ts';

type Issue = z.core.$ZodIssue;

export function describeIssue(issue: Issue): Problem {
  return { path: pathOf(['spec', ...issue.path]), message: sentence(issue) };
}

/** `spec.stages[0].name`, as the API server writes paths. */
export function pathOf(path: readonly PropertyKey[]): string {
  return path
    .map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? String(part) : `.${String(part)}`))
    .join('');
}

const UNITS: Record<string, string> = {
  string: ' characters',
  array: ' entries',
  map: ' entries',
  object: ' members',
};

function sentence(issue: Issue): string {
  if (issue.code === 'invalid_type') {
    const wanted = NAMES[issue.expected] ?? issue.expected;
    return issue.input === undefined ? `is required: add it (${wanted})` : `must be ${wanted}`;
  }
  if (issue.code === 'invalid_value')
    return `must be one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`;
  if (issue.code === 'too_small')
    return `must ${verb(issue.origin)} at least ${issue.minimum}${UNITS[issue.origin] ?? ''}`;
  if (issue.code === 'too_big')
    return `must ${verb(issue.origin)} at most ${issue.maximum}${UNITS[issue.origin] ?? ''}`;
  // The schemas give their own words for the rest.
  return issue.message;
}

function verb(origin: string): string {
  return origin in UNITS ? 'have' : 'be';
}

const NAMES: Record<string, string> = {
  int: 'a whole number',
  number: 'a number',
  string: 'a string',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};
