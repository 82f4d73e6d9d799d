/** What must hold for every run that has ended, whatever happened to it. */
import { expect } from 'vitest';
import type { PipelineRun } from '../../../operator/api/types.ts';
import { logIndex, type RunRecord, runRecord } from '../../../workers/contract/manifests.ts';
import { type Bed, conditionOf } from './bed.ts';

/**
 * Asserts that a finished run left its record and nothing else: every worker attempt has one manifest, a log is
 * complete or says what is missing, and at most one attempt of a stage has outputs that were admitted.
 */
export async function settled(bed: Bed, run: PipelineRun): Promise<RunRecord> {
  const { uid } = run.metadata;
  expect(await bed.left(uid), 'nothing is left').toEqual([]);
  const record = runRecord.parse(JSON.parse(await bed.result(run, 'run.json')));
  expect(record.outcome.result).toBe(run.status?.outcome?.result);
  const relative = (key: string): string => key.split(`${uid}/`).at(-1) ?? '';
  const kept = await bed.results(run);
  let whole = true;
  for (const stage of record.stages) {
    const pods = stage.attempts.map(({ podUID }) => podUID);
    expect(new Set(pods).size, 'one entry per pod').toBe(pods.length);
    for (const { podUID, manifest, logs } of stage.attempts) {
      const manifests = kept.filter((key) => key.includes(podUID) && /\/(worker|sealed)\.json$/.test(key));
      expect(manifests, `manifests of ${podUID}`).toContain(relative(manifest.key));
      whole &&= logs?.complete === true;
      if (logs === undefined || logs.complete) continue;
      const { gaps } = logIndex.parse(JSON.parse(await bed.result(run, relative(logs.key))));
      expect(gaps.length, `log of ${podUID} is incomplete and says why`).toBeGreaterThan(0);
    }
  }
  expect(conditionOf(run, 'LogsStored')).toMatchObject({
    status: 'True',
    reason: whole ? 'Stored' : 'LogsIncomplete',
  });
  return record;
}

/** What a failure has to say about the attempts of a run: what its status says of the stages, and the manifest of every pod. */
export async function describeAttempts(bed: Bed, run: PipelineRun, record: RunRecord): Promise<string> {
  const relative = (key: string): string => key.split(`${run.metadata.uid}/`).at(-1) ?? '';
  const manifests = record.stages.flatMap((stage) => stage.attempts.map(({ manifest }) => manifest.key));
  const said = await Promise.all(manifests.map((key) => bed.result(run, relative(key))));
  return [JSON.stringify(run.status?.stages), ...said].join('\n');
}

/** What is missing in the log of a run's only attempt. */
export async function gapsOf(bed: Bed, run: PipelineRun, record: RunRecord): Promise<unknown[]> {
  const { logs } = record.stages[0]?.attempts[0] ?? {};
  if (logs === undefined) throw new Error(`run ${run.metadata.name} has no log`);
  const relative = logs.key.split(`${run.metadata.uid}/`).at(-1) ?? '';
  return logIndex.parse(JSON.parse(await bed.result(run, relative))).gaps;
}

/** Waits for the end of a run, which must be a good one. */
export async function succeeded(bed: Bed, name: string): Promise<PipelineRun> {
  const run = await bed.finished(name);
  expect(conditionOf(run, 'Succeeded'), JSON.stringify(run.status)).toMatchObject({
    status: 'True',
    reason: 'Succeeded',
  });
  return run;
}
