import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { run } from '../cluster/exec.ts';

const program = fileURLToPath(new URL('../bench/copy/main.ts', import.meta.url));

// What the figures are says nothing here: the run is far too small, and other things go on beside it.
test('the benchmark of copies works, and its page has every row', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ebbflow-bench-test-'));
  const json = join(folder, 'rows.json');
  const args = [program, '--quick', '--json', json, '--docs', folder];
  await run(process.execPath, args, { timeoutMs: 900_000 });
  const { rows }: { rows: { name: string; value: number; holds?: boolean }[] } = JSON.parse(
    await readFile(json, 'utf8'),
  );
  expect(rows.filter(({ value }) => !Number.isFinite(value))).toEqual([]);
  expect(rows.filter(({ holds }) => holds !== undefined).map(({ name }) => name)).toEqual([
    "4 KiB: rate beside s5cmd's",
    "4 KiB: client CPU per object beside s5cmd's",
    '1 MiB: rate beside the better of s5cmd and rclone',
    'list and one rename rule',
    'plan of 20,000 keys: proof and shards included',
    'plan of 20,000 keys: peak memory',
    'throttled, 1 process: capacity used',
    'throttled, 1 process: requests refused',
    'throttled, 4 processes: capacity used',
    'throttled, 4 processes: requests refused',
    'throttled, 4 processes: smallest share beside a fair one',
  ]);
  const page = await readFile(join(folder, 'benchmarks.md'), 'utf8');
  expect(rows.filter(({ name }) => !page.includes(`| ${name} |`))).toEqual([]);
  expect(await readFile(join(folder, 'benchmarks-copy.svg'), 'utf8')).toMatch(/^<svg /);
  await rm(folder, { recursive: true });
}, 1_000_000);
