import { expect, test } from 'vitest';
import { findCycle, type Node } from '../../operator/api/graph.ts';

const stages = (edges: Record<string, string[]>): Node[] =>
  Object.entries(edges).map(([name, dependsOn]) => ({ name, dependsOn }));

test.each([
  ['nothing', {}, undefined],
  ['a chain', { a: [], b: ['a'], c: ['b'] }, undefined],
  ['a diamond', { a: [], b: ['a'], c: ['a'], d: ['b', 'c'] }, undefined],
  ['a name that is no stage', { a: ['ghost'] }, undefined],
  ['itself', { a: ['a'] }, ['a', 'a']],
  ['two', { a: ['b'], b: ['a'] }, ['a', 'b', 'a']],
  ['a circle behind a way in', { a: ['b'], b: ['c'], c: ['d'], d: ['b'] }, ['b', 'c', 'd', 'b']],
  ['a circle that only a later stage shows', { a: [], b: ['a', 'c'], c: ['b'] }, ['b', 'c', 'b']],
])('findCycle: %s', (_, edges, cycle) => {
  expect(findCycle(stages(edges))).toEqual(cycle);
});
