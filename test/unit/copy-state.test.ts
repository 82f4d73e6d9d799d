import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { takeLock } from '../../cli/copy/lock.ts';
import { readStoresOfJob } from '../../cli/copy/jobfile.ts';
import { listRuns, openState } from '../../cli/copy/state.ts';

const lockChild = fileURLToPath(new URL('../support/lockchild.ts', import.meta.url));
let directory = '';
const job = { source: 's3://a/', rules: [{ match: 'x' }], left: undefined };

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ebbflow-state-'));
});
afterEach(async () => rm(directory, { recursive: true, force: true }));

/** What another process says that was inside the lock so many times. */
async function contend(times: number, last = ''): Promise<string> {
  const child = spawn(process.execPath, [lockChild, directory, String(times), last], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said: Promise<string> = text(child.stdout);
  await once(child, 'close');
  return said;
}

describe('the lock', () => {
  test('keeps a second process out until it is given back', async () => {
    const unlock = await takeLock(directory);
    await expect(takeLock(directory)).rejects.toMatchObject({ code: 'Busy' });
    await unlock();
    await (await takeLock(directory))();
  });

  test('of a process that died is no obstacle', async () => {
    expect(await contend(1, 'die')).toBe('');
    await (await takeLock(directory))();
  });

  test('says who has it', async () => {
    const unlock = await takeLock(directory);
    await expect(takeLock(directory)).rejects.toThrow(`process ${process.pid} on ${hostname()} works on`);
    await unlock();
  });

  test("is one process's alone, however many ask at once, and also when some of them are killed with it", async () => {
    const some = Array.from({ length: 4 }, () => contend(50));
    const killed = Array.from({ length: 3 }, () => contend(20, 'die'));
    expect(await Promise.all(some)).toEqual(['alone', 'alone', 'alone', 'alone']);
    expect(await Promise.all(killed)).toEqual(['', '', '']);
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

  test.each([
    ['a copy', { stores: { source: { endpoint: 'https://a', region: 'r' }, destination: {} } }, 'https://a'],
    ['something else', { stores: ['a'] }, undefined],
  ])('says which stores its job uses, if it is that of %s', async (_name, known, endpoint) => {
    expect(await readStoresOfJob(directory)).toBeUndefined();
    await (await openState(directory, known, false)).close();
    expect((await readStoresOfJob(directory))?.source.endpoint).toBe(endpoint);
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
