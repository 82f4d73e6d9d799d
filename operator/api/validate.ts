/** Everything that must be right about a PipelineRun before it can run. */
import { checkFields, type Problem } from './crossfield.ts';
import { findDuplicates } from './duplicates.ts';
import { findCycle } from './graph.ts';
import { pipelineRunSpec } from './pipelinerun.ts';
import { nameLength } from './rules.ts';
import { describeIssue, pathOf } from './sentences.ts';

export type { Problem } from './crossfield.ts';

/**
 * Every problem of a spec: what the API server would refuse, and what it cannot see (cycles of dependsOn). Empty when
 * it can run. Problems between fields are looked for only once the shape is right.
 */
export function validateSpec(spec: unknown, name: string): Problem[] {
  const problems: Problem[] =
    name.length > 63 ? [{ path: 'metadata.name', message: nameLength.message }] : [];
  const given = withoutNulls(spec);
  const parsed = pipelineRunSpec.safeParse(given, { reportInput: true });
  if (!parsed.success) return [...problems, ...parsed.error.issues.map(describeIssue)];
  problems.push(
    ...unknownFields(given, parsed.data, ['spec']),
    ...findDuplicates(parsed.data),
    ...checkFields(parsed.data),
  );
  const cycle = findCycle(parsed.data.stages);
  // A stage that depends on itself has been named already.
  if (cycle !== undefined && cycle.length > 2) {
    const message = `stages depend on each other in a circle: ${cycle.join(' -> ')}; remove one of these from dependsOn`;
    problems.push({ path: 'spec.stages', message });
  }
  return problems;
}

/** Drops members that are null, as the API server does before it looks. Null in a list stays, and is wrong. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  const members = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(members.map(([name, member]) => [name, withoutNulls(member)]));
}

/** Members that parsing has dropped, because the schema does not know them. */
function unknownFields(given: unknown, parsed: unknown, path: readonly PropertyKey[]): Problem[] {
  if (Array.isArray(given) && Array.isArray(parsed))
    return given.flatMap((item, i) => unknownFields(item, parsed[i], [...path, i]));
  if (!isObject(given) || !isObject(parsed)) return [];
  return Object.keys(given).flatMap((key) =>
    key in parsed
      ? unknownFields(given[key], parsed[key], [...path, key])
      : [{ path: pathOf([...path, key]), message: 'is an unknown field: correct its name, or remove it' }],
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
