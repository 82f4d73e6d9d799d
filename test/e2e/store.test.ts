/** A results store that refuses: runs end all the same, and their records follow when it is back. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { PipelineRun } from '../../operator/api/types.ts';
import { type Bed, conditionOf, openBed, unique } from '../support/e2e/bed.ts';
import { COMMIT_TIMEOUT_SECONDS } from '../support/e2e/names.ts';
import { settled } from '../support/e2e/outcome.ts';
import { killProcesses } from '../support/e2e/processes.ts';
import { takeAway } from '../support/e2e/resultsfolder.ts';

let bed: Bed;
let bringBack = (): Promise<void> => Promise.resolve();

beforeAll(async () => {
  bed = await openBed({ beside: true });
});
afterEach(() => bringBack());
afterAll(() => bed.close());

/** Waits until the run is terminal and its compute deleted, although its record is not stored. */
async function withoutRecord(name: string): Promise<PipelineRun> {
  const run = await bed.until(
    name,
    'terminal without a record',
    (latest) =>
      conditionOf(latest, 'Succeeded')?.status !== 'Unknown' &&
      conditionOf(latest, 'ResourcesDeleted')?.status === 'True',
  );
  expect(conditionOf(run, 'LogsStored')).toMatchObject({ status: 'False', reason: 'ResultsNotStored' });
  const waited = Date.parse(run.status?.completionTime ?? '') - Date.parse(run.status?.outcome?.time ?? '');
  // Both times are whole seconds.
  expect(waited).toBeGreaterThanOrEqual((COMMIT_TIMEOUT_SECONDS - 1) * 1000);
  return run;
}

test('runs that end while the store refuses are terminal after commitTimeoutSeconds, keep no compute, and are recorded later; a deleted one goes with a warning', async () => {
  const spec = { stages: [bed.shell('work', 'echo begun; sleep 600; echo ended')] };
  const names = { ends: unique('ends'), canceled: unique('canceled'), deleted: unique('deleted') };
  const [ends, canceled, deleted] = await Promise.all([
    bed.apply(names.ends, spec),
    bed.apply(names.canceled, spec),
    bed.apply(names.deleted, spec),
  ]);
  for (const name of Object.values(names))
    await bed.until(name, 'running', (run) => run.status?.stages?.[0]?.state === 'Running');
  bringBack = await takeAway(bed, [ends, canceled, deleted]);
  await bed.patch(names.canceled, { cancel: true });
  // Whose sleep is over goes on to its end.
  for (const pod of await bed.pods(ends))
    killProcesses(pod.metadata.uid ?? '', (argv) => argv[0] === 'sleep');

  const asked = Date.now();
  await bed.delete(names.deleted);
  await bed.gone(names.deleted);
  expect(Date.now() - asked).toBeLessThan(30_000);
  expect(await bed.left(deleted)).toEqual([]);
  expect(await bed.warnings(deleted)).toContain('RecordNotStored');

  const terminal = await Promise.all([withoutRecord(names.canceled), withoutRecord(names.ends)]);
  expect(conditionOf(terminal[0], 'Succeeded')).toMatchObject({ status: 'False', reason: 'Canceled' });
  for (const uid of [ends, canceled]) expect(await bed.left(uid)).toEqual([]);

  await bringBack();
  for (const before of terminal) {
    const name = before.metadata.name;
    const run = await bed.until(
      name,
      'recorded',
      (latest) => conditionOf(latest, 'LogsStored')?.status === 'True',
    );
    expect(conditionOf(run, 'Succeeded')).toEqual(conditionOf(before, 'Succeeded'));
    expect(run.status?.completionTime, 'the end is not moved').toBe(before.status?.completionTime);
    const record = await settled(bed, run);
    expect(record.stages[0]?.attempts).toHaveLength(1);
  }
});
