import { glob, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { judged } from '../../vitest.config.ts';
import { runCommand } from '../support/run-command.ts';
import { performSteps, type StepResult } from '../support/run-perform.ts';
import { type Step, type StepContext, steps } from '../support/run-steps.ts';
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
      'radosgw',
      'chart',
      'integration',
      'e2e',
    ]);
  });
});

describe('the second server', () => {
  it('judges every file that starts the server of its project, and no other', async () => {
    const root = join(import.meta.dirname, '../..');
    const files: string[] = [];
    for await (const path of glob('test/integration/*.test.ts', { cwd: root }))
      if ((await readFile(join(root, path), 'utf8')).includes('startJudge')) files.push(path);
    expect(files.toSorted()).toEqual(judged.toSorted());
  });
});

describe('lanes', () => {
  const background = {
    membership: '/background',
    take: () => Promise.resolve(),
    release: () => Promise.resolve(),
    remove: () => Promise.resolve(),
  };
  const shared = { environment: {}, stop: () => Promise.resolve() };

  /** Performs steps that end when they are told to; `log` has their beginnings and ends. */
  function perform(isBackground: boolean, controller = new AbortController()) {
    const log: string[] = [];
    const results: StepResult[] = [];
    const contexts = new Map<string, StepContext>();
    const ends = new Map<string, (error?: Error) => void>();
    const step = (name: string, cluster?: 'api' | 'nodes'): Step => ({
      name,
      ...(cluster && { cluster }),
      run: (context) =>
        new Promise((resolve, reject) => {
          log.push(`${name} begins`);
          contexts.set(name, context);
          ends.set(name, (error) => (error ? reject(error) : resolve(passOnce())));
        }),
    });
    const all = performSteps(
      [step('lint'), step('unit'), step('integration', 'api'), step('chart', 'api'), step('e2e', 'nodes')],
      {
        clusters: new Map([
          ['api', Promise.resolve(shared)],
          ['nodes', Promise.resolve(shared)],
        ]),
        background: isBackground ? background : undefined,
        signal: controller.signal,
        say: () => undefined,
        onUnneeded: async (cluster) => void log.push(`${cluster} unneeded`),
        onResult: (result) => results.push(result),
      },
    );
    const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    const end = async (name: string, error?: Error): Promise<void> => {
      ends.get(name)?.(error);
      await settle();
    };
    return { all, log, results, contexts, end, settle };
  }

  it('go side by side, in each of them one step after the other; only whole runs stay out of the background', async () => {
    const { all, log, results, contexts, end, settle } = perform(true);
    await settle();
    expect(log.splice(0)).toEqual(['lint begins', 'e2e begins']);
    await end('lint', new Error('broke'));
    expect(log.splice(0)).toEqual(['unit begins']);
    await end('e2e');
    expect(log.splice(0)).toEqual(['nodes unneeded']);
    for (const name of ['unit', 'integration', 'chart']) await end(name);
    await all;
    expect(log).toEqual(['integration begins', 'chart begins', 'api unneeded']);
    expect(Object.fromEntries([...contexts].map(([name, { cgroup }]) => [name, cgroup]))).toEqual({
      lint: '/background',
      unit: '/background',
      integration: '/background',
      chart: '/background',
      e2e: undefined,
    });
    expect(results).toHaveLength(5);
    expect(results.filter(({ tally: { failures } }) => failures.length > 0)).toMatchObject([
      { step: 'lint', tally: { failures: [{ name: 'lint', why: 'broke' }] } },
    ]);
  });

  it('are one where there is no background', async () => {
    const { all, log, end, settle } = perform(false);
    await settle();
    for (const name of ['lint', 'unit', 'integration', 'chart', 'e2e']) {
      expect(log.splice(0)).toEqual([`${name} begins`]);
      await end(name);
    }
    await all;
    expect(log).toEqual(['api unneeded', 'nodes unneeded']);
  });

  it('begin nothing more once they are interrupted', async () => {
    const controller = new AbortController();
    const { all, log, end, settle } = perform(true, controller);
    await settle();
    controller.abort();
    for (const name of ['lint', 'e2e']) await end(name);
    await all;
    expect(log.filter((line) => line.endsWith('begins'))).toEqual(['lint begins', 'e2e begins']);
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

  it('join their cgroup before they begin, so that all they start is in it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ebbflow-cgroup-'));
    const cgroup = join(folder, 'cgroup.procs');
    let output = '';
    const onOutput = (text: string): void => void (output += text);
    const args = ['-c', `echo $$ "$@"; cat ${cgroup}`, 'sh', 'two words'];
    await runCommand({ ...common, cgroup, command: 'sh', args, onOutput });
    const [own, joined] = output.trim().split('\n');
    expect(own).toBe(`${joined} two words`);
    await rm(folder, { recursive: true });
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
