import { describe, expect, test } from 'vitest';
import { drawChart } from '../bench/copy/chart.ts';
import { cpuOf, measure } from '../bench/copy/measure.ts';
import { writePage, writeText } from '../bench/copy/report.ts';
import { figuresOf, makeRow, median, rowsOfSet, type SetResult } from '../bench/copy/rows.ts';

const never = new AbortController().signal;

describe('measuring a program', () => {
  test('reads what the shell says about those it waited for', () => {
    expect(cpuOf('4242\n0m0.00s 0m0.01s\n1m2.50s 0m0.25s\n')).toBe(62.75);
    expect(() => cpuOf('4242\n')).toThrow('told no times');
  });

  test('counts its time, its children and its memory', async () => {
    const burn = 'const end = Date.now() + 400; while (Date.now() < end);';
    const child = `require("child_process").spawnSync(process.execPath, ["-e", ${JSON.stringify(burn)}]);`;
    const hold = 'global.kept = Buffer.alloc(150 << 20, 1);';
    const args = ['-e', `${hold} ${child} console.log("done")`];
    const measured = await measure({ command: process.execPath, args, env: {} }, never);
    expect(measured.stdout).toBe('done\n');
    expect(measured.seconds).toBeGreaterThan(0.4);
    expect(measured.cpuSeconds).toBeGreaterThan(0.05);
    expect(measured.peakBytes).toBeGreaterThan(150 << 20);
  });

  test('a program that fails counts for nothing', async () => {
    const args = ['-e', 'console.error("no such bucket"); process.exit(3)'];
    await expect(measure({ command: process.execPath, args, env: {} }, never)).rejects.toThrow(
      /ended with code 3: no such bucket/,
    );
  });
});

const result: SetResult = {
  set: '4 KiB',
  objects: 100,
  size: 4096,
  of: {
    ebbflow: { objectsPerSecond: 390, cpuMsPerObject: 0.1, peakMiB: 90 },
    s5cmd: { objectsPerSecond: 300, cpuMsPerObject: 0.4, peakMiB: 60 },
    rclone: { objectsPerSecond: 100, cpuMsPerObject: 1, peakMiB: 100 },
  },
};

describe('rows', () => {
  test('are judged by what was measured, not by what is shown', () => {
    expect(makeRow('a', 1.2996, 'ratio', { least: 1.3 })).toEqual({
      name: 'a',
      value: 1.3,
      unit: 'ratio',
      target: '>= 1.3',
      holds: false,
    });
    expect(makeRow('a', 123_456.7, 'keys')).toEqual({ name: 'a', value: 123_457, unit: 'keys' });
    expect(makeRow('a', 0.3, 'ratio', { most: 0.3 }).holds).toBe(true);
  });

  test('small objects are held against s5cmd, large ones against the better of both', () => {
    const judged = (rows: ReturnType<typeof rowsOfSet>) =>
      rows.filter(({ target }) => target !== undefined).map(({ name, value, holds }) => [name, value, holds]);
    expect(judged(rowsOfSet(result))).toEqual([
      ["4 KiB: rate beside s5cmd's", 1.3, true],
      ["4 KiB: client CPU per object beside s5cmd's", 0.25, true],
    ]);
    expect(judged(rowsOfSet({ ...result, set: '1 MiB', size: 1024 ** 2 }))).toEqual([
      ['1 MiB: rate beside the better of s5cmd and rclone', 1.3, true],
    ]);
  });

  test('figures are the median of the rounds', () => {
    expect([median([3, 1, 2]), median([1, 2, 3, 4])]).toEqual([2, 2.5]);
    const rounds = [4, 1, 2].map((seconds) => ({
      seconds,
      cpuSeconds: seconds / 10,
      peakBytes: 2 ** 20,
      stdout: '',
    }));
    expect(figuresOf(rounds, 10)).toEqual({ objectsPerSecond: 5, cpuMsPerObject: 20, peakMiB: 1 });
  });
});

test('the page names the machine, the versions, and every target that is missed', () => {
  const rows = [
    makeRow('one', 5, 'ratio', { least: 1 }),
    makeRow('two', 5, 'ratio', { most: 1 }),
    makeRow('three', 5, 's'),
  ];
  const page = writePage({ cores: 2, memoryGiB: 24, programs: { s5cmd: 'v2.3.0' }, rounds: 3, rows });
  expect(page).toContain('Machine: 2 cores, 24 GiB of memory, which client and server share. s5cmd v2.3.0.');
  expect(page).toContain('Targets that do not hold: two.');
  expect(page).toContain('| one | 5 ratio | >= 1 | yes |');
  expect(page).toContain('| two | 5 ratio | <= 1 | **no** |');
  expect(writeText(rows).split('\n')[1]).toMatch(/^two +5 ratio {3}<= 1: MISSED$/);
});

test('the plot has a bar for every program and figure', () => {
  const svg = drawChart([result, { ...result, set: '1 MiB' }]);
  expect(svg.match(/<rect x=/g)).toHaveLength(12);
  expect(svg).toContain('>ebbflow 1.30</text>');
  expect(svg).toContain('>rclone 2.50</text>');
});
