import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { takeLock } from '../../cli/copy/lock.ts';
import { listRuns, openState } from '../../cli/copy/state.ts';

let directory = '';
const job = { source: 's3://a/', rules: [{ match: 'x' }], left: undefined };

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ebbflow-state-'));
});
afterEach(async () => rm(directory, { recursive: true, force: true }));

describe('the lock', () => {
  const hold = (holder: object) => writeFile(join(directory, 'lock'), JSON.stringify(holder));

  test('keeps a second process out until it is given back', async () => {
    const unlock = await takeLock(directory);
    await expect(takeLock(directory)).rejects.toMatchObject({ code: 'Busy' });
    await unlock();
    await (await takeLock(directory))();
  });

  test('of a process that died, or whose number another one has now, is no obstacle', async () => {
    const { pid } = spawnSync(process.execPath, ['--version']);
    const gone = { pid, host: hostname(), started: '' };
    const another = { pid: process.pid, host: hostname(), started: '1' };
    for (const left of [JSON.stringify(gone), JSON.stringify(another), '{"pid":']) {
      await writeFile(join(directory, 'lock'), left);
      const unlock = await takeLock(directory);
      expect(await readFile(join(directory, 'lock'), 'utf8')).toContain(`"pid":${process.pid}`);
      await unlock();
    }
  });

  test('of another machine stands', async () => {
    await hold({ pid: 1, host: 'elsewhere', started: '' });
    await expect(takeLock(directory)).rejects.toThrow(/process 1 on elsewhere .* delete .*lock$/);
  });
});

describe('the state of a job', () => {
  test('a run is taken up again until it is finished; then the next one is new', async () => {
    const first = await openState(directory, job, false);
    await mkdir(first.directory);
    await first.close();
    const again = await openState(directory, job, false);
    expect(again.directory).toBe(first.directory);
    await again.finish({ result: 'Copied' });
    await again.close();
    const next = await openState(directory, job, false);
    expect(next.uid).not.toBe(first.uid);
    await next.close();
  });

  test('--new leaves the unfinished run alone for good', async () => {
    const first = await openState(directory, job, false);
    await mkdir(first.directory);
    await first.close();
    const anew = await openState(directory, job, true);
    expect(anew.directory).not.toBe(first.directory);
    await anew.close();
    expect(await listRuns(directory)).toEqual([expect.objectContaining({ uid: first.uid, ended: true })]);
  });

  test('belongs to one job, and the last ten runs are kept', async () => {
    for (let run = 0; run < 13; run += 1) {
      const name = `20260101T0000${String(run).padStart(2, '0')}Z-5e5c0a5e-0000-4000-8000-0000000000${run + 10}`;
      await mkdir(join(directory, name));
      await writeFile(join(directory, name, 'end.json'), '{}');
    }
    await (await openState(directory, job, false)).close();
    const kept = (await readdir(directory)).filter((name) => name.startsWith('2026')).toSorted();
    expect(kept).toHaveLength(10);
    expect(kept[0]).toContain('000003Z');
    await expect(openState(directory, { ...job, source: 's3://b/' }, false)).rejects.toMatchObject({
      code: 'OtherJob',
    });
  });
});
