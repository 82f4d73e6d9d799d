import { readFile } from 'node:fs/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../support/run-command.ts';
import { steps } from '../support/run-steps.ts';
import {
  addTallies,
  exitCode,
  failOnce,
  lastLine,
  passOnce,
  tallyGo,
  tallyVitest,
} from '../support/run-tally.ts';

const report = (...files: object[]): string => JSON.stringify({ testResults: files });
const file = (name: string, status: string, ...tests: [string, string][]) => ({
  name: `/checkout/${name}`,
  status,
  message: status === 'failed' ? 'boom at import\n  at line 1' : '',
  assertionResults: tests.map(([fullName, state]) => ({
    fullName,
    status: state,
    failureMessages: state === 'failed' ? ['AssertionError: no\n at x'] : [],
  })),
});
const tally = (text: string | undefined, code: number) =>
  tallyVitest({ report: text, code, root: '/checkout' });

describe('counting', () => {
  it('counts what passed and names what failed, on one line each', () => {
    const found = tally(report(file('a.test.ts', 'failed', ['good', 'passed'], ['bad', 'failed'])), 1);
    expect(found).toEqual({ passed: 1, failures: [{ name: 'a.test.ts > bad', why: 'AssertionError: no' }] });
    expect(lastLine(found)).toBe('1 passed, 1 failed');
  });

  it.each(['skipped', 'todo', 'pending'])(
    'a test that is %s has failed, although vitest ended well',
    (state) => {
      const found = tally(report(file('a.test.ts', 'passed', ['good', 'passed'], ['lazy', state])), 0);
      expect(found.failures).toEqual([{ name: 'a.test.ts > lazy', why: `did not run (${state})` }]);
      expect(exitCode(found)).toBe(1);
    },
  );

  it('a file that cannot be loaded has failed', () => {
    expect(tally(report(file('b.test.ts', 'failed')), 1).failures).toEqual([
      { name: 'b.test.ts', why: 'boom at import' },
    ]);
  });

  it('an error outside of any test, which only the exit code shows, is a failure', () => {
    const found = tally(report(file('a.test.ts', 'passed', ['good', 'passed'])), 1);
    expect(found.passed).toBe(1);
    expect(found.failures).toHaveLength(1);
  });

  it('no report, half a report and no tests are failures', () => {
    for (const text of [undefined, '', '{"testResu', '{}', report()])
      expect(exitCode(tally(text, 0)), String(text)).toBe(1);
  });

  it('counts Go tests the same way', () => {
    const line = (Action: string, Test?: string): string => JSON.stringify({ Action, Test, Package: 'shim' });
    expect(tallyGo([line('run', 'TestA'), line('pass', 'TestA'), line('pass')].join('\n'), 0)).toEqual({
      passed: 1,
      failures: [],
    });
    expect(tallyGo([line('fail', 'TestA'), line('skip', 'TestB')].join('\n'), 1).failures).toHaveLength(2);
    expect(tallyGo('./x.go:1: syntax error', 2).failures).toHaveLength(1);
    expect(tallyGo('', 0).failures).toHaveLength(1);
  });

  it('is green only when something ran and nothing failed', () => {
    expect(exitCode(addTallies([]))).toBe(1);
    expect(exitCode(addTallies([passOnce(), passOnce()]))).toBe(0);
    expect(exitCode(addTallies([passOnce(), failOnce('lint', 'no')]))).toBe(1);
    expect(lastLine(addTallies([passOnce(), failOnce('lint', 'no')]))).toBe('1 passed, 1 failed');
  });
});

describe('the steps', () => {
  it('are all there, in order', () => {
    expect(steps.map(({ name }) => name)).toEqual([
      'format',
      'lint',
      'types',
      'crds',
      'unit',
      'go',
      'integration',
      'radosgw',
      'chart',
      'e2e',
    ]);
  });
});

describe('commands', () => {
  const lines: string[] = [];
  const common = {
    cwd: '/',
    timeoutMs: 20_000,
    signal: new AbortController().signal,
    say: (line: string): void => void lines.push(line),
  };
  beforeEach(() => void lines.splice(0));

  it('give their exit code and output', async () => {
    let output = '';
    const onOutput = (text: string): void => void (output += text);
    const end = await runCommand({ ...common, command: 'sh', args: ['-c', 'echo hello; exit 3'], onOutput });
    expect(end).toEqual({ code: 3, stopped: undefined });
    expect(output).toBe('hello\n');
  });

  it('tell what they print on either stream, line by line', async () => {
    await runCommand({ ...common, command: 'sh', args: ['-c', 'echo one; sleep 0.1; echo two >&2'] });
    expect(lines).toEqual(['one', 'two']);
  });

  it('that do not exist fail', async () => {
    expect((await runCommand({ ...common, command: '/no/such/program', args: [] })).code).toBe(127);
    expect(lines).toEqual(['/no/such/program: spawn /no/such/program ENOENT']);
  });

  it('that take too long are ended with everything they started', async () => {
    let output = '';
    const onOutput = (text: string): void => void (output += text);
    const script = 'sleep 600 & echo $!; wait';
    const end = await runCommand({
      ...common,
      timeoutMs: 300,
      command: 'sh',
      args: ['-c', script],
      onOutput,
    });
    expect(end).toMatchObject({ stopped: 'timeout' });
    expect(end.code).not.toBe(0);
    const grandchild = Number(output);
    expect(grandchild).toBeGreaterThan(1);
    // Gone, or dead and waiting to be collected by whoever inherited it.
    await expect
      .poll(() => readFile(`/proc/${grandchild}/stat`, 'utf8').catch(() => 'gone'))
      .toMatch(/^gone$|\) Z /);
  });

  it('end when they are interrupted', async () => {
    const stop = new AbortController();
    const ended = runCommand({ ...common, signal: stop.signal, command: 'sleep', args: ['600'] });
    stop.abort();
    expect(await ended).toMatchObject({ stopped: 'interrupted' });
  });
});
