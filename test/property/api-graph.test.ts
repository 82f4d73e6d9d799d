import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { findCycle, type Node } from '../../operator/api/graph.ts';

/** Any graph of up to 12 stages, with names in a random order. */
const graph = fc.integer({ min: 1, max: 12 }).chain((size) => {
  const name = fc.integer({ min: 0, max: size - 1 }).map((i) => `s${i}`);
  return fc
    .array(fc.array(name, { maxLength: 3 }), { minLength: size, maxLength: size })
    .map((edges): Node[] => edges.map((dependsOn, i) => ({ name: `s${i}`, dependsOn })));
});

/** Whether stages can be taken away one by one, each after those that it depends on. */
function canBeOrdered(nodes: readonly Node[]): boolean {
  let rest = [...nodes];
  for (;;) {
    const next = rest.filter((node) =>
      node.dependsOn?.some((name) => rest.some((other) => other.name === name)),
    );
    if (next.length === rest.length) return rest.length === 0;
    rest = next;
  }
}

test('findCycle finds a circle exactly where there is no order, and what it names is one', () => {
  fc.assert(
    fc.property(graph, (nodes) => {
      const cycle = findCycle(nodes);
      expect(cycle === undefined).toBe(canBeOrdered(nodes));
      if (cycle === undefined) return;
      expect(cycle[0]).toBe(cycle.at(-1));
      for (const [i, name] of cycle.slice(0, -1).entries())
        expect(nodes.find((node) => node.name === name)?.dependsOn).toContain(cycle[i + 1]);
    }),
  );
});
