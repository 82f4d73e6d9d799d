/** The exit record lies in a volume that the user's program can write to, so nothing about it is trusted. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readExitRecord } from '../../workers/train/exitrecord.ts';

const record = {
  version: 1,
  started: true,
  code: 3,
  startTime: '2026-01-01T00:00:00.000Z',
  endTime: '2026-01-01T00:00:01.000Z',
};
let folder = '';
let path = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebbflow-record-'));
  path = join(folder, 'exit.json');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the exit record', () => {
  test('is read where the shim has left one', async () => {
    await writeFile(path, JSON.stringify(record));
    expect(await readExitRecord(path)).toEqual(record);
  });

  test('is nothing where there is none', async () => {
    expect(await readExitRecord(path)).toBeUndefined();
  });

  test('is not waited for in a pipe', async () => {
    execFileSync('mkfifo', [path]);
    expect(await readExitRecord(path)).toBeUndefined();
  });

  test('is not looked for behind a link', async () => {
    await writeFile(join(folder, 'other'), JSON.stringify(record));
    await symlink('other', path);
    expect(await readExitRecord(path)).toBeUndefined();
  });

  test('is not read when it is far too large to be one', async () => {
    await writeFile(path, JSON.stringify({ ...record, filler: 'x'.repeat(1_000_000) }));
    expect(await readExitRecord(path)).toBeUndefined();
  });
});
