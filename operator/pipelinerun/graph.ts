/** The graph of stages: what may start, and what can no longer. Pure. */
import type { Stage } from '../api/pipelinerun.ts';
import { isTerminal, type StageState } from '../api/status.ts';

export type Readiness = { ready: true } | { ready: false; blockedBy: string; forGood: boolean };

/** Whether the stages that `stage` depends on have all succeeded; if not, on which one it waits, or will wait for ever. */
export function readiness(
  stage: Pick<Stage, 'dependsOn'>,
  states: ReadonlyMap<string, StageState>,
): Readiness {
  const names = stage.dependsOn ?? [];
  const failed = names.find((name) => {
    const state = states.get(name);
    return state !== undefined && isTerminal(state) && state !== 'Succeeded';
  });
  if (failed !== undefined) return { ready: false, blockedBy: failed, forGood: true };
  const waiting = names.find((name) => states.get(name) !== 'Succeeded');
  return waiting === undefined ? { ready: true } : { ready: false, blockedBy: waiting, forGood: false };
}

/**
 * The stages so that each comes after those it depends on; stages on a cycle come last, in the order of the spec.
 * One pass over this order sees every change that a pass can cause.
 */
export function inOrder<S extends Pick<Stage, 'name' | 'dependsOn'>>(stages: readonly S[]): S[] {
  const placed = new Set<string>();
  const ordered: S[] = [];
  let rest = [...stages];
  while (rest.length > 0) {
    const next = rest.filter((stage) => (stage.dependsOn ?? []).every((name) => placed.has(name)));
    if (next.length === 0) return [...ordered, ...rest];
    for (const stage of next) placed.add(stage.name);
    ordered.push(...next);
    rest = rest.filter((stage) => !placed.has(stage.name));
  }
  return ordered;
}
