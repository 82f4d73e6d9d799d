import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ByteBudget } from '../../workers/train/budget.ts';
import { outputKey } from '../../workers/train/outputs.ts';
import { partSizeFor } from '../../workers/train/upload.ts';
import { openBelow, walkFiles, type SkippedEntry } from '../../workers/train/walk.ts';

const signal = new AbortController().signal;
let folder = '';
let root = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ebbflow-outputs-'));
  root = join(folder, 'out');
  await mkdir(root);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function walk(): Promise<{ files: string[]; skipped: SkippedEntry[] }> {
  const skipped: SkippedEntry[] = [];
  const files: string[] = [];
  for await (const file of walkFiles(root, (entry) => void skipped.push(entry), signal)) files.push(file);
  return { files, skipped };
}

describe('walking an output directory', () => {
  test('finds every regular file, with its path', async () => {
    await mkdir(join(root, 'a/b'), { recursive: true });
    for (const name of ['z', 'a/b/c', 'a/.hidden', 'ü "x"\n', '%2e%2e'])
      await writeFile(join(root, name), name);
    expect(await walk()).toEqual({ files: ['%2e%2e', 'a/.hidden', 'a/b/c', 'z', 'ü "x"\n'], skipped: [] });
  });

  test('leaves links and special files behind, and does not wait for a pipe', async () => {
    const secret = join(folder, 'secret');
    await mkdir(secret);
    await writeFile(join(secret, 'token'), 'x');
    await symlink(join(secret, 'token'), join(root, 'file'));
    await symlink(secret, join(root, 'directory'));
    await symlink('/no/such/file', join(root, 'dangling'));
    execFileSync('mkfifo', [join(root, 'pipe')]);
    const { files, skipped } = await walk();
    expect(files).toEqual([]);
    expect(skipped).toEqual([
      { path: 'dangling', kind: 'symbolic link' },
      { path: 'directory', kind: 'symbolic link' },
      { path: 'file', kind: 'symbolic link' },
      { path: 'pipe', kind: 'special file' },
    ]);
  });

  test('a directory that is swapped for a link after it was seen is not followed', async () => {
    const secret = join(folder, 'secret');
    await mkdir(secret);
    await writeFile(join(secret, 'token'), 'x');
    await mkdir(join(root, 'a'));
    await writeFile(join(root, 'a/token'), 'mine');
    expect((await walk()).files).toEqual(['a/token']);
    await rename(join(root, 'a'), join(root, 'was-a'));
    await symlink(secret, join(root, 'a'));
    await expect(openBelow(root, 'a/token', false)).rejects.toThrow(/ENOTDIR|ELOOP/);
    await expect(openBelow(root, 'a', true)).rejects.toThrow(/ENOTDIR|ELOOP/);
  });

  test('a name that is not UTF-8 is an error that shows it', async () => {
    await writeFile(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x62, 0xff])]), '');
    await expect(walk()).rejects.toThrow('not UTF-8 (b?)');
  });
});

describe('keys and parts of outputs', () => {
  test('prefixes are literal', () => {
    expect(outputKey('digits/1/', 'model.npz')).toBe('digits/1/model.npz');
    expect(outputKey('digits-', 'model.npz')).toBe('digits-model.npz');
    expect(outputKey('', 'a/b')).toBe('a/b');
    expect(() => outputKey('p/', 'ü'.repeat(512))).toThrow('1024 bytes');
  });

  test('no file has more than 10,000 parts', () => {
    const wanted = 16 * 1024 * 1024;
    expect(partSizeFor(wanted + 1, wanted)).toBe(wanted);
    const size = 5 * 1024 ** 4;
    expect(Math.ceil(size / partSizeFor(size, wanted))).toBeLessThanOrEqual(10_000);
  });
});

describe('the budget of bytes', () => {
  test('is never exceeded, serves in order, and lets an oversized request pass alone', async () => {
    const budget = new ByteBudget(10);
    let held = 0;
    let most = 0;
    const order: number[] = [];
    const take = (id: number, bytes: number): Promise<void> =>
      budget.use(bytes, async () => {
        order.push(id);
        held += Math.min(bytes, 10);
        most = Math.max(most, held);
        await new Promise((resolve) => setImmediate(resolve));
        held -= Math.min(bytes, 10);
      });
    await Promise.all([6, 6, 2, 100, 1, 1, 9].map((bytes, id) => take(id, bytes)));
    expect(most).toBe(10);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6]);
    await expect(budget.use(3, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await budget.use(10, async () => undefined);
  });
});
