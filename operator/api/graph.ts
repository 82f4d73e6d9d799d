/** Questions about dependsOn alone. Pure, and for graphs of at most 100 stages. */
import type { Stage } from './pipelinerun.ts';

export type Node = Pick<Stage, 'name' | 'dependsOn'>;

/** One cycle of dependsOn as the names along it, the first repeated at the end; undefined when there is none. */
export function findCycle(stages: readonly Node[]): string[] | undefined {
  const byName = new Map(stages.map((stage) => [stage.name, stage]));
  const done = new Set<string>();
  for (const stage of stages) {
    const cycle = walk(stage.name, [], byName, done);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

/** Depth first; `trail` are the names from the start to here, `done` those from which no cycle can be reached. */
function walk(
  name: string,
  trail: readonly string[],
  byName: ReadonlyMap<string, Node>,
  done: Set<string>,
): string[] | undefined {
  const start = trail.indexOf(name);
  if (start >= 0) return [...trail.slice(start), name];
  if (done.has(name)) return undefined;
  for (const next of byName.get(name)?.dependsOn ?? []) {
    const cycle = walk(next, [...trail, name], byName, done);
    if (cycle !== undefined) return cycle;
  }
  done.add(name);
  return undefined;
}
