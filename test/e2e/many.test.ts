/** Many runs at once, and what kubectl shows of them. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RUN_REASONS } from '../../operator/api/reasons.ts';
import type { PipelineRunSpec } from '../../operator/api/pipelinerun.ts';
import { type Bed, conditionOf, openBed, stageOf, unique } from '../support/e2e/bed.ts';
import { NAMESPACE } from '../support/e2e/names.ts';
import { gapsOf, settled } from '../support/e2e/outcome.ts';

const RUNS = 50;
/** Every tenth run fails, so that a right outcome is not just always the same one. */
const fails = (n: number): boolean => n % 10 === 9;

let bed: Bed;
beforeAll(async () => {
  bed = await openBed();
});
afterAll(() => bed.close());

const spec = (n: number): PipelineRunSpec => ({
  pipeline: 'many',
  stages: [
    bed.shell('work', `echo "run ${n}"; exit ${fails(n) ? 7 : 0}`, {
      resources: { requests: { cpu: '10m', memory: '16Mi' } },
    }),
  ],
});

/** What `kubectl get ebb` prints, as one record of columns per run. */
async function table(prefix: string): Promise<Record<string, string>[]> {
  const text = await bed.cluster.kubectl(['get', 'ebb', '-n', NAMESPACE]);
  const [head = '', ...lines] = text.trimEnd().split('\n');
  const starts = [...head.matchAll(/\S+/g)].map(({ 0: title, index }) => ({ title, index }));
  return lines
    .filter((line) => line.startsWith(prefix))
    .map((line) =>
      Object.fromEntries(
        starts.map(({ title, index }, column) => [
          title,
          line.slice(index, starts[column + 1]?.index).trim(),
        ]),
      ),
    );
}

test('fifty runs applied at once all end, each with its own outcome and log, and kubectl says what each does', async () => {
  const prefix = unique('many');
  const names = Array.from({ length: RUNS }, (_, n) => `${prefix}-${n}`);
  await Promise.all(names.map((name, n) => bed.apply(name, spec(n))));

  const seen = new Set<string>();
  let rows = await table(prefix);
  while (rows.some((row) => row['SUCCEEDED'] !== 'True' && row['SUCCEEDED'] !== 'False')) {
    // A run that the operator has not looked at yet has nothing to show; every other says where it stands and why.
    for (const row of rows.filter((candidate) => candidate['SUCCEEDED'] !== '')) {
      seen.add(row['REASON'] ?? '');
      expect(Object.keys(RUN_REASONS), JSON.stringify(row)).toContain(row['REASON']);
      expect(row['STAGES'], JSON.stringify(row)).toMatch(/^[01]\/1$/);
      expect(row['DOING'], JSON.stringify(row)).not.toBe('');
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
    rows = await table(prefix);
  }
  expect(seen).toContain('Running');
  expect(rows).toHaveLength(RUNS);

  const uids = new Set<string>();
  for (const [n, name] of names.entries()) {
    const run = await bed.finished(name);
    const wanted = fails(n)
      ? { status: 'False', reason: 'StageFailed' }
      : { status: 'True', reason: 'Succeeded' };
    expect(conditionOf(run, 'Succeeded'), name).toMatchObject(wanted);
    expect(stageOf(run, 'work')?.message ?? '').toMatch(fails(n) ? /exit code 7/ : /^(?!.*exit code)/);
    const record = await settled(bed, run);
    expect(record.stages[0]?.attempts).toHaveLength(1);
    expect(await gapsOf(bed, run, record), name).toEqual([]);
    expect(record.stages[0]?.attempts[0]?.logs?.complete, name).toBe(true);
    uids.add(run.metadata.uid);
  }
  expect(uids.size).toBe(RUNS);
});
