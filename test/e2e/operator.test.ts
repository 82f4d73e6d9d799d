/** kill -9 of the operator. Every other run of the cluster would feel it, so this file has the cluster to itself. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PipelineRun } from '../../operator/api/types.ts';
import { type Bed, openBed, stageOf, unique } from '../support/e2e/bed.ts';
import { fromZero, ownNode } from '../support/e2e/burst.ts';
import { beginMove, expectMoved, jobsOf, podOf, WORKERS } from '../support/e2e/move.ts';
import { killOperator } from '../support/e2e/operator.ts';
import { describeAttempts, settled, succeeded } from '../support/e2e/outcome.ts';
import { killProcesses } from '../support/e2e/processes.ts';
import { isWorking, writesItsName } from '../support/e2e/stages.ts';

let bed: Bed;
beforeAll(async () => {
  bed = await openBed();
});
afterAll(() => bed.close());

test('killed at every step of a run, the operator goes on: each stage runs once, and the record is whole', async () => {
  const name = unique('steps');
  await bed.put('raw', { [`${name}/a`]: 'a', [`${name}/b`]: 'b' });
  const uid = await bed.apply(name, {
    stores: bed.stores,
    stages: [
      {
        name: 'arrange',
        placement: fromZero,
        copy: {
          source: { bucket: 'raw', prefix: `${name}/` },
          destination: { bucket: 'lake', prefix: `${name}/to/` },
        },
      },
      writesItsName(bed, 'sleep 8', { ...ownNode, dependsOn: ['arrange'] }),
    ],
  });
  const steps: readonly [string, (run: PipelineRun) => boolean, boolean][] = [
    // While its node comes; where a machine is slow to look, perhaps a moment later.
    ['begun', (run) => !['Waiting', undefined].includes(stageOf(run, 'arrange')?.state), true],
    ['after stage 1', (run) => stageOf(run, 'arrange')?.state === 'Succeeded', true],
    ['running', isWorking, false],
    ['decided', (run) => run.status?.outcome !== undefined, true],
  ];
  for (const [what, reached, replaced] of steps) {
    await bed.until(name, what, reached);
    await killOperator(bed, { replaced });
  }
  const run = await succeeded(bed, name);
  const record = await settled(bed, run);
  const attempts = record.stages.map((stage) => stage.attempts);
  expect(
    attempts.map(({ length }) => length),
    await describeAttempts(bed, run, record),
  ).toEqual([1, 1]);
  expect(stageOf(run, 'work')).toMatchObject({ attempt: 1, admitted: record.stages[1]?.admitted });
  expect(await bed.keys('models', `${uid}/`)).toHaveLength(1);
  expect(await bed.keys('lake', `${name}/to/`)).toHaveLength(2);
});

test('killed with one of three workers that copy: the others go on, and the bucket is whole', async () => {
  const begun = await beginMove(bed, 900, 20);
  expect((await jobsOf(bed, begun.uid)).map(({ spec }) => [spec.completions, spec.parallelism])).toEqual([
    [WORKERS, WORKERS],
  ]);
  killProcesses(podOf(begun, 1).metadata.uid ?? '', (argv) => argv.includes('copy'));
  await killOperator(bed, { replaced: true });
  const run = await expectMoved(bed, begun, 900, 1);
  expect(stageOf(run, 'arrange')?.workers?.failed).toBe(1);
  expect(stageOf(run, 'arrange')?.disruptions ?? 0).toBe(0);
});
