import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CopyStage } from '../../operator/api/copystage.ts';
import { resolveJob } from '../../workers/copy/job.ts';
import { LocalStore } from '../../workers/copy/localstore.ts';
import { PlanProblems } from '../../workers/copy/problems.ts';
import { runStage } from '../../workers/copy/stage.ts';
import { headObject } from '../../workers/s3/objects.ts';
import { PlanBed } from '../support/planbed.ts';

const signal = AbortSignal.timeout(600_000);
let bed: PlanBed;
let folder: string;
let results: LocalStore;
beforeEach(async () => {
  bed = await PlanBed.start({ buckets: ['raw', 'lake', 'last'] });
  folder = await mkdtemp(join(tmpdir(), 'ebbflow-ledger-'));
  results = new LocalStore(join(folder, 'results'));
});
afterEach(async () => {
  await bed.stop();
  await rm(folder, { recursive: true });
});

/** Runs one stage of a run to its end. */
async function run(stage: string, copy: CopyStage) {
  const problems = new PlanProblems();
  return runStage(
    {
      job: resolveJob(copy, problems),
      problems,
      sides: { source: bed.client, destination: bed.client },
      results,
      worker: { stage, index: 0, podUID: randomUUID() },
      crew: { most: 1, share: 1 },
      scratch: { directory: folder, limit: 1024 ** 3 },
      owner: `01234567-0123-4123-8123-0123456789ab-${stage}`,
      log: { info: () => undefined, warn: () => undefined },
      onTally: () => undefined,
      segmentInterval: 20,
    },
    { stop: signal, abort: signal, last: signal },
  );
}

const arrange: CopyStage = {
  source: { store: 's', bucket: 'raw', prefix: 'in/' },
  destination: { store: 's', bucket: 'lake', prefix: 'day/' },
  rename: [{ match: '^(?<n>\\d+)$', replace: 'n={n}' }],
  maxFailures: 1,
};

function onwards(source: Partial<CopyStage['source']> = {}): CopyStage {
  return {
    source: { store: 's', bucket: 'lake', prefix: 'day/', ledgerOf: 'arrange', ...source },
    destination: { store: 's', bucket: 'last', prefix: 'n-' },
  };
}

const has = async (bucket: string, key: string) =>
  (await headObject(bed.client, { bucket, key }, signal)) !== undefined;

describe('a plan from the ledger of an earlier stage', () => {
  test('has what that stage wrote or found in place, and nothing else', async () => {
    for (const n of [1, 2, 3]) await bed.put('raw', `in/${n}`);
    await bed.put('lake', 'day/n=2', 'in/2');
    await bed.put('lake', 'day/not of this run');
    bed.double.setFaults([{ kind: 'answer', operation: 'CopyObject', key: 'n=3', status: 400, code: 'Bad' }]);
    expect((await run('arrange', arrange)).result).toMatchObject({ copied: 1, skipped: 1, failed: 1 });
    bed.double.setFaults([]);
    expect((await run('onwards', onwards())).result).toMatchObject({ planned: 2, copied: 2 });
    expect(await has('last', 'n-n=1')).toBe(true);
    expect(await has('last', 'n-n=2')).toBe(true);
    expect(await has('last', 'n-not of this run')).toBe(false);
  });

  test('takes only keys under its own prefix', async () => {
    for (const n of [1, 12, 2]) await bed.put('raw', `in/${n}`);
    await run('arrange', arrange);
    expect((await run('onwards', onwards({ prefix: 'day/n=1' }))).result).toMatchObject({ copied: 2 });
    expect(await has('last', 'n-2')).toBe(true);
  });

  test('does not copy an object that changed since', async () => {
    await bed.put('raw', 'in/1');
    await run('arrange', arrange);
    await bed.put('lake', 'day/n=1', 'other');
    const { result, failures } = await run('onwards', onwards());
    expect(result).toMatchObject({ copied: 0, failed: 1 });
    expect(failures[0]).toContain('SourceChanged');
  });

  test.each([
    [
      'another bucket',
      onwards({ bucket: 'raw' }),
      /stage arrange wrote to bucket lake .* copy.source is bucket raw/,
    ],
    ['a stage without a plan', onwards({ ledgerOf: 'train' }), /stage train has no plan/],
    ['another run', onwards({ ledgerOf: randomUUID() }), /ledgers of its own run alone.*keyList/],
  ])('of %s is refused in words', async (_, copy, message) => {
    await bed.put('raw', 'in/1');
    await run('arrange', arrange);
    await expect(run('onwards', copy)).rejects.toThrow(message);
  });
});
