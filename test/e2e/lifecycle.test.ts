/** Deletion, cancel, suspend and resume at every phase of a run. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PipelineRun } from '../../operator/api/types.ts';
import { runRecord } from '../../workers/contract/manifests.ts';
import { type Bed, conditionOf, openBed, stageOf, unique } from '../support/e2e/bed.ts';
import { RESULTS_BUCKET } from '../support/e2e/names.ts';

let bed: Bed;
beforeAll(async () => {
  bed = await openBed();
});
afterAll(() => bed.close());

type Phase = 'Provisioning' | 'Starting' | 'Running' | 'Finished';

/** Applies a run that stays in the phase for as long as anybody looks. */
async function bring(phase: Phase): Promise<{ name: string; uid: string }> {
  const name = unique(phase.toLowerCase());
  const nowhere = { placement: { nodeSelector: { 'ebbflow.dev/pool': 'nowhere' } } };
  const stages = {
    Provisioning: [bed.shell('work', 'sleep 600', nowhere)],
    Starting: [{ name: 'work', container: { image: 'localhost/no-such-image:1', command: ['true'] } }],
    Running: [bed.shell('work', 'echo begun; sleep 600')],
    Finished: [bed.shell('work', 'true')],
  }[phase];
  const uid = await bed.apply(name, { stages });
  const reached = (run: PipelineRun): boolean =>
    phase === 'Finished'
      ? conditionOf(run, 'Succeeded')?.status === 'True'
      : stageOf(run, 'work')?.state === phase;
  await bed.until(name, phase, reached);
  return { name, uid };
}

async function recordOf(uid: string): Promise<string | undefined> {
  const keys = await bed.keys(RESULTS_BUCKET, `v1/e2e/data/${uid}/`);
  const key = keys.find((candidate) => candidate.endsWith('/run.json'));
  const text = key === undefined ? undefined : await bed.read(RESULTS_BUCKET, key);
  return text === undefined ? undefined : runRecord.parse(JSON.parse(text)).outcome.result;
}

describe.each<Phase>(['Provisioning', 'Starting', 'Running', 'Finished'])('deleted while %s', (phase) => {
  test.concurrent('the run goes within 30 s, its record stays, nothing is left', async () => {
    const { name, uid } = await bring(phase);
    const asked = Date.now();
    await bed.delete(name);
    await bed.gone(name);
    expect(Date.now() - asked).toBeLessThan(30_000);
    expect(await bed.left(uid)).toEqual([]);
    expect(await recordOf(uid)).toBe(phase === 'Finished' ? 'Succeeded' : 'Canceled');
  });
});

describe.each<Phase>(['Provisioning', 'Running'])('canceled while %s', (phase) => {
  test.concurrent('the run ends as Canceled and its compute is gone', async () => {
    const { name, uid } = await bring(phase);
    await bed.patch(name, { cancel: true });
    const run = await bed.finished(name);
    expect(conditionOf(run, 'Succeeded')).toMatchObject({ status: 'False', reason: 'Canceled' });
    expect(stageOf(run, 'work')?.state).toBe('Canceled');
    expect(await bed.left(uid)).toEqual([]);
  });
});

describe('suspend', () => {
  test.concurrent('while running ends the pod with its log; resume runs it again without counting a retry', async () => {
    const name = unique('pause');
    const script =
      'echo begun; trap "echo told to stop; exit 0" TERM; if [ -e /tmp/never ]; then exit 1; fi; i=0; while [ $i -lt 8 ]; do sleep 1; i=$((i+1)); done; echo finished';
    const uid = await bed.apply(name, { stages: [bed.shell('work', script)] });
    await bed.until(name, 'running', (run) => stageOf(run, 'work')?.state === 'Running');
    await bed.patch(name, { suspend: true });
    await bed.until(
      name,
      'suspended',
      (run) =>
        conditionOf(run, 'Succeeded')?.reason === 'Suspended' && stageOf(run, 'work')?.state === 'Waiting',
    );
    const end = Date.now() + 30_000;
    while ((await bed.pods(uid)).length > 0 && Date.now() < end)
      await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await bed.pods(uid)).toEqual([]);
    await bed.patch(name, { suspend: false });
    const run = await bed.finished(name);
    expect(conditionOf(run, 'Succeeded')).toMatchObject({ status: 'True' });
    expect(stageOf(run, 'work')?.failures ?? 0).toBe(0);
    const record = runRecord.parse(JSON.parse(await bed.result(run, 'run.json')));
    expect(record.stages[0]?.attempts.length, 'both pods are accounted for').toBe(2);
  });

  test.concurrent('while waiting for a node creates nothing until it is resumed', async () => {
    const { name, uid } = await bring('Provisioning');
    await bed.patch(name, { suspend: true });
    await bed.until(name, 'suspended', (run) => conditionOf(run, 'Succeeded')?.reason === 'Suspended');
    await bed.patch(name, { suspend: false });
    await bed.until(name, 'provisioning', (run) => stageOf(run, 'work')?.state === 'Provisioning');
    await bed.patch(name, { cancel: true });
    await bed.finished(name);
    expect(await bed.left(uid)).toEqual([]);
  });
});

describe('suspend and cancel', () => {
  test('cancel wins, and cannot be taken back', async () => {
    const { name } = await bring('Running');
    await bed.patch(name, { suspend: true, cancel: true });
    await expect(bed.patch(name, { cancel: false })).rejects.toThrow(/cancel/);
    const run = await bed.finished(name);
    expect(conditionOf(run, 'Succeeded')).toMatchObject({ reason: 'Canceled' });
  });
});
