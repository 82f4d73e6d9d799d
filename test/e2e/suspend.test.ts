/** Suspend and resume at every phase of a run. After its last stage has ended they change nothing. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PipelineRun } from '../../operator/api/types.ts';
import { type Bed, conditionOf, openBed, stageOf, unique } from '../support/e2e/bed.ts';
import { settled, succeeded } from '../support/e2e/outcome.ts';
import { bring } from '../support/e2e/phases.ts';
import { killProcesses } from '../support/e2e/processes.ts';

let bed: Bed;
beforeAll(async () => {
  bed = await openBed();
});
afterAll(() => bed.close());

const isSuspended = (run: PipelineRun): boolean =>
  conditionOf(run, 'Succeeded')?.reason === 'Suspended' && stageOf(run, 'work')?.state === 'Waiting';

/** Suspends the run and waits until none of its pods is left. */
async function suspend(name: string, uid: string): Promise<void> {
  await bed.patch(name, { suspend: true });
  await bed.until(name, 'suspended', isSuspended);
  await bed.podsGone(uid);
}

test.concurrent('while running it ends the pod with its log; resume runs it again without counting a retry', async () => {
  const name = unique('pause');
  // The first pod finds nothing that lets it end, the second does: neither hurries the test.
  await bed.put('raw', { [`${name}/wait`]: '' });
  const script =
    'trap "echo told to stop; exit 0" TERM; echo begun; if [ ! -e /in/go ]; then sleep 600 & wait; fi; echo finished';
  const inputs = [{ bucket: 'raw', prefix: `${name}/`, path: '/in' }];
  const container = { image: bed.image, command: ['sh', '-c', script], inputs };
  const uid = await bed.apply(name, { stores: bed.stores, stages: [{ name: 'work', container }] });
  await bed.until(name, 'running', (run) => stageOf(run, 'work')?.state === 'Running');
  await suspend(name, uid);
  await bed.put('raw', { [`${name}/go`]: '' });
  await bed.patch(name, { suspend: false });
  const run = await succeeded(bed, name);
  expect(stageOf(run, 'work')?.failures ?? 0).toBe(0);
  const record = await settled(bed, run);
  expect(record.stages[0]?.attempts.length, 'both pods are accounted for').toBe(2);
});

test.concurrent.each(['Provisioning', 'Starting'] as const)(
  'while %s it leaves nothing that waits for a node; resume goes on where it was',
  async (phase) => {
    await using brought = await bring(bed, phase);
    await suspend(brought.name, brought.uid);
    await bed.patch(brought.name, { suspend: false });
    const resumed = await bed.until(
      brought.name,
      phase,
      (run) => stageOf(run, 'work')?.state === phase && conditionOf(run, 'Succeeded')?.reason === 'Running',
    );
    expect(stageOf(resumed, 'work')).toMatchObject({ attempt: 1 });
    expect(await bed.pods(brought.uid)).toHaveLength(1);
    await bed.patch(brought.name, { cancel: true });
    await settled(bed, await bed.finished(brought.name));
  },
);

test.concurrent('while outputs are being stored it lets the pod store them: the stage has ended, and nothing runs again', async () => {
  await using brought = await bring(bed, 'Finalizing');
  await bed.patch(brought.name, { suspend: true });
  await bed.until(brought.name, 'suspended', isSuspended);
  await brought.letGo();
  const run = await succeeded(bed, brought.name);
  expect(run.spec.suspend).toBe(true);
  const record = await settled(bed, run);
  expect(record.stages[0]?.attempts).toHaveLength(1);
  expect(await bed.keys('models', `${brought.uid}/`)).toHaveLength(1);
});

test.concurrent('a pod that is lost while it stores outputs is followed by another after resume, whose outputs count', async () => {
  await using brought = await bring(bed, 'Finalizing');
  const [first] = await bed.pods(brought.uid);
  await bed.patch(brought.name, { suspend: true });
  await bed.until(brought.name, 'suspended', isSuspended);
  killProcesses(first?.metadata.uid ?? '', (argv) => argv.includes('agent'));
  await bed.podsGone(brought.uid);
  await brought.letGo();
  await bed.patch(brought.name, { suspend: false });
  const run = await succeeded(bed, brought.name);
  expect(stageOf(run, 'work')).toMatchObject({ attempt: 1 });
  expect(stageOf(run, 'work')?.failures ?? 0).toBe(0);
  const record = await settled(bed, run);
  const names = record.stages[0]?.attempts.map(({ podName }) => podName);
  expect(names).toHaveLength(2);
  const kept = await bed.keys('models', `${brought.uid}/`);
  expect(kept).toHaveLength(1);
  expect(kept[0]).not.toContain(first?.metadata.name);
});

test.concurrent.each(['Committing', 'Finished'] as const)('while %s it changes nothing', async (phase) => {
  await using brought = await bring(bed, phase);
  const before = await bed.get(brought.name);
  await bed.patch(brought.name, { suspend: true });
  await brought.letGo();
  const suspended = await succeeded(bed, brought.name);
  expect(suspended.status?.outcome).toEqual(before?.status?.outcome);
  expect(suspended.status?.stages).toEqual(before?.status?.stages);
  const record = await settled(bed, suspended);
  expect(record.stages[0]?.attempts).toHaveLength(1);
  await bed.patch(brought.name, { suspend: false });
  const resumed = await succeeded(bed, brought.name);
  expect(resumed.status?.conditions).toEqual(suspended.status?.conditions);
});
