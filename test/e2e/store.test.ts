/** A results store that refuses: runs end all the same, and their records follow when it is back. */
import { rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { events } from '../../operator/kube/resource.ts';
import { type Bed, conditionOf, openBed, unique } from '../support/e2e/bed.ts';
import { COMMIT_TIMEOUT_SECONDS, NAMESPACE, RESULTS_BUCKET } from '../support/e2e/names.ts';
import { settled } from '../support/e2e/outcome.ts';

let bed: Bed;
let bucket: string;
let elsewhere: string;
let isAway = false;

beforeAll(async () => {
  bed = await openBed();
  // The store of the test cluster keeps each bucket as a folder.
  const root = dirname(bed.cluster.logDirectory);
  bucket = join(root, 's3', RESULTS_BUCKET);
  elsewhere = join(root, 'bucket-taken-away');
});
const takeAway = async (): Promise<void> => {
  await rename(bucket, elsewhere);
  isAway = true;
};
const bringBack = async (): Promise<void> => {
  if (isAway) await rename(elsewhere, bucket);
  isAway = false;
};
afterEach(bringBack);
afterAll(() => bed.close());

test('a run whose record is refused is terminal after commitTimeoutSeconds, keeps no compute, and is recorded later; a deleted one goes with a warning', async () => {
  const [stays, goes] = [unique('refused'), unique('deleted')];
  const spec = { stages: [bed.shell('work', 'echo begun; sleep 3; echo ended')] };
  const [uid, deletedUID] = await Promise.all([bed.apply(stays, spec), bed.apply(goes, spec)]);
  for (const name of [stays, goes])
    await bed.until(name, 'running', (run) => run.status?.stages?.[0]?.state === 'Running');
  await takeAway();

  await bed.until(goes, 'decided', (run) => run.status?.outcome !== undefined);
  const asked = Date.now();
  await bed.delete(goes);
  await bed.gone(goes);
  expect(Date.now() - asked).toBeLessThan(30_000);
  expect(await bed.left(deletedUID)).toEqual([]);
  const fieldSelector = `involvedObject.uid=${deletedUID}`;
  const { items } = await bed.client.list(events, NAMESPACE, { fieldSelector });
  expect(items.filter(({ type }) => type === 'Warning').map(({ reason }) => reason)).toContain(
    'RecordNotStored',
  );

  const terminal = await bed.until(
    stays,
    'terminal without a record',
    (run) =>
      conditionOf(run, 'Succeeded')?.status === 'True' &&
      conditionOf(run, 'ResourcesDeleted')?.status === 'True',
  );
  expect(conditionOf(terminal, 'LogsStored')).toMatchObject({ status: 'False', reason: 'ResultsNotStored' });
  const { outcome, completionTime } = terminal.status ?? {};
  const waited = Date.parse(completionTime ?? '') - Date.parse(outcome?.time ?? '');
  // Both times are whole seconds.
  expect(waited).toBeGreaterThanOrEqual((COMMIT_TIMEOUT_SECONDS - 1) * 1000);
  expect(await bed.left(uid)).toEqual([]);

  await bringBack();
  const run = await bed.until(stays, 'recorded', (latest) => {
    const stored = conditionOf(latest, 'LogsStored');
    return stored?.status === 'True';
  });
  expect(conditionOf(run, 'Succeeded')).toMatchObject({ status: 'True', reason: 'Succeeded' });
  expect(run.status?.completionTime, 'the end is not moved').toBe(completionTime);
  const record = await settled(bed, run);
  expect(record.stages[0]?.attempts).toHaveLength(1);
});
