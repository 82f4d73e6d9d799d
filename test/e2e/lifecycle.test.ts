/** Deletion and cancel at every phase of a run. A run whose stages have all ended keeps its outcome. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LABEL } from '../../operator/api/names.ts';
import { jobs } from '../../operator/kube/resource.ts';
import { runRecord } from '../../workers/contract/manifests.ts';
import { type Bed, conditionOf, openBed, stageOf, unique } from '../support/e2e/bed.ts';
import { NAMESPACE, RESULTS_BUCKET } from '../support/e2e/names.ts';
import { settled } from '../support/e2e/outcome.ts';
import { bring, PHASES, type Phase } from '../support/e2e/phases.ts';

let bed: Bed;
beforeAll(async () => {
  bed = await openBed();
});
afterAll(() => bed.close());

const hasEnded = (phase: Phase): boolean => phase === 'Committing' || phase === 'Finished';

/** The result in the record of a run, undefined where there is no record. */
async function recordedResult(uid: string): Promise<string | undefined> {
  const text = await bed.read(RESULTS_BUCKET, `v1/e2e/${NAMESPACE}/${uid}/run.json`);
  return text === undefined ? undefined : runRecord.parse(JSON.parse(text)).outcome.result;
}

/** Deletes the run as a user does, and sees it go in time with all that belonged to it. */
async function deleteAndSeeItGo(name: string, uid: string): Promise<void> {
  const asked = Date.now();
  await bed.delete(name);
  await bed.gone(name);
  expect(Date.now() - asked).toBeLessThan(30_000);
  expect(await bed.left(uid)).toEqual([]);
}

test.concurrent.each(PHASES)(
  'deleted while %s, a run goes within 30 s; its record stays, nothing is left',
  async (phase) => {
    await using run = await bring(bed, phase);
    if (phase === 'Committing') await run.letGo();
    await deleteAndSeeItGo(run.name, run.uid);
    expect(await recordedResult(run.uid)).toBe(hasEnded(phase) ? 'Succeeded' : 'Canceled');
    expect(await bed.keys('models', `${run.uid}/`), 'outputs that were never whole').toEqual([]);
  },
);

test.concurrent('deleted while its record is refused, a run goes within 30 s, and an Event says that there is no record', async () => {
  await using run = await bring(bed, 'Committing');
  await deleteAndSeeItGo(run.name, run.uid);
  expect(await recordedResult(run.uid)).toBeUndefined();
  expect(await bed.warnings(run.uid)).toContain('RecordNotStored');
});

test.concurrent.each(PHASES.filter((phase) => !hasEnded(phase)))(
  'canceled while %s, a run ends as Canceled and its compute is gone',
  async (phase) => {
    await using brought = await bring(bed, phase);
    await bed.patch(brought.name, { cancel: true });
    await bed.until(brought.name, 'decided', ({ status }) => status?.outcome !== undefined);
    // Outputs that come through after that change nothing.
    await brought.letGo();
    const run = await bed.finished(brought.name);
    expect(conditionOf(run, 'Succeeded')).toMatchObject({ status: 'False', reason: 'Canceled' });
    expect(stageOf(run, 'work')?.state).toBe(phase === 'Suspended' ? 'Skipped' : 'Canceled');
    expect((await settled(bed, run)).outcome.result).toBe('Canceled');
  },
);

test.concurrent.each(PHASES.filter(hasEnded))('canceled while %s, a run keeps its outcome', async (phase) => {
  await using brought = await bring(bed, phase);
  const before = await bed.get(brought.name);
  await bed.patch(brought.name, { cancel: true });
  await brought.letGo();
  const run = await bed.finished(brought.name);
  expect(conditionOf(run, 'Succeeded')).toMatchObject({ status: 'True', reason: 'Succeeded' });
  expect(run.status?.outcome).toEqual(before?.status?.outcome);
  expect((await settled(bed, run)).outcome.result).toBe('Succeeded');
});

test.concurrent('cancel wins over suspend, and cannot be taken back', async () => {
  await using brought = await bring(bed, 'Running');
  await bed.patch(brought.name, { suspend: true, cancel: true });
  await expect(bed.patch(brought.name, { cancel: false })).rejects.toThrow(/cancel/);
  const run = await bed.finished(brought.name);
  expect(conditionOf(run, 'Succeeded')).toMatchObject({ reason: 'Canceled' });
});

test.concurrent('a Job that somebody takes labels and owner from is found, and ends with its run; what bears them by hand is left alone', async () => {
  await using brought = await bring(bed, 'Running');
  const labelSelector = `${LABEL.runUID}=${brought.uid}`;
  const [job] = (await bed.client.list(jobs, NAMESPACE, { labelSelector })).items;
  const mine = unique('mine');
  const template = {
    spec: { restartPolicy: 'Never', containers: [{ name: 'any', image: 'localhost/any:1' }] },
  };
  await bed.client.create(jobs, NAMESPACE, {
    metadata: { name: mine, labels: { ...job?.metadata.labels } },
    spec: { suspend: true, template },
  });
  const labels = Object.fromEntries(Object.values(LABEL).map((label) => [label, null]));
  await bed.client.mergePatch(jobs, NAMESPACE, job?.metadata.name ?? '', {
    metadata: { labels, ownerReferences: [] },
  });
  await bed.patch(brought.name, { cancel: true });
  const run = await bed.finished(brought.name);
  expect(stageOf(run, 'work')?.state).toBe('Canceled');
  expect(await bed.left(brought.uid)).toEqual([mine]);
  await expect(bed.client.get(jobs, NAMESPACE, job?.metadata.name ?? '')).rejects.toThrow(/not found/);
  expect(await bed.warnings(brought.uid)).toContain('ForeignObject');
  await bed.client.delete(jobs, NAMESPACE, mine, { propagationPolicy: 'Background' });
});
