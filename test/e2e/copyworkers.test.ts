/** A copy with several workers: the death of the node of one loses nothing. What a dead operator does to it is in operator.test.ts. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Bed, openBed, stageOf } from '../support/e2e/bed.ts';
import { beginMove, expectMoved, podOf } from '../support/e2e/move.ts';

let bed: Bed;
beforeAll(async () => {
  bed = await openBed();
});
afterAll(() => bed.close());

test('a node that dies under one of three workers: its workers go on elsewhere', async () => {
  const begun = await beginMove(bed, 450, 20);
  const { nodeName = '' } = podOf(begun, 2).spec;
  const lost = begun.pods.filter((pod) => pod.spec.nodeName === nodeName).length;
  await bed.cluster.faults.killNode(nodeName);
  const run = await expectMoved(bed, begun, 450, lost);
  expect(stageOf(run, 'arrange')?.disruptions).toBe(lost);
});
