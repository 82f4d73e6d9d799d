/** The steps of `npm test`, and what each needs. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installTestPackages } from '../cluster/debian.ts';
import { provideGo } from '../cluster/go.ts';
import { projectRoot } from '../cluster/paths.ts';
import type { ClusterKind } from './run-cluster.ts';
import { type CommandEnd, runCommand } from './run-command.ts';
import { addTallies, failOnce, passOnce, type Tally, tallyGo, tallyVitest } from './run-tally.ts';

export interface StepContext {
  readonly signal: AbortSignal;
  /** Takes what the step prints, line by line. */
  readonly say: (line: string) => void;
  /** Membership file of the cgroup that the step's processes belong to, if any. */
  readonly cgroup: string | undefined;
  /** How tests find the cluster; empty for steps that need none. */
  readonly clusterEnvironment: Readonly<Record<string, string>>;
}

export interface Step {
  readonly name: string;
  /** Undefined for a step that needs nothing but this machine. */
  readonly cluster?: ClusterKind;
  run(context: StepContext): Promise<Tally>;
}

const minute = 60_000;

export const steps: readonly Step[] = [
  commandStep('format', ['biome', 'format', '.']),
  commandStep('lint', ['oxlint', '--type-aware', '--deny-warnings']),
  commandStep('types', ['tsc', '--noEmit']),
  commandStep('crds', ['node', 'crds/generate.ts', '--check']),
  { name: 'unit', run: (context) => runVitest('unit', 10 * minute, context) },
  { name: 'go', run: runGo },
  { name: 'radosgw', run: runRadosgw },
  { name: 'chart', cluster: 'api', run: (context) => runVitest('chart', 10 * minute, context) },
  // Last, because most of it waits, and whole runs may be over by then.
  {
    name: 'integration',
    cluster: 'api',
    run: (context) => runVitest('integration', 20 * minute, context),
  },
  { name: 'e2e', cluster: 'nodes', run: (context) => runVitest('e2e*', 40 * minute, context) },
];

/** A command that counts as one test: passed when it ends with code 0. */
function commandStep(name: string, [command = '', ...args]: readonly string[]): Step {
  return {
    name,
    async run({ signal, say, cgroup }) {
      const common = { cwd: projectRoot, timeoutMs: 5 * minute, signal, say, cgroup };
      const end = await runCommand({ ...common, command, args });
      return end.code === 0 ? passOnce() : failOnce(name, describeEnd(`${command} ${args.join(' ')}`, end));
    },
  };
}

async function runVitest(
  project: string,
  timeoutMs: number,
  { signal, say, cgroup, clusterEnvironment }: StepContext,
): Promise<Tally> {
  const folder = await mkdtemp(join(tmpdir(), 'ebbflow-report-'));
  const file = join(folder, 'report.json');
  try {
    const end = await runCommand({
      command: 'vitest',
      // A forgotten `.only` would leave out the rest without a word.
      args: [
        'run',
        '--project',
        project,
        '--reporter=default',
        '--reporter=json',
        `--outputFile.json=${file}`,
        '--allowOnly=false',
      ],
      cwd: projectRoot,
      env: clusterEnvironment,
      cgroup,
      timeoutMs,
      signal,
      say,
    });
    const report = await readFile(file, 'utf8').catch(() => undefined);
    if (end.stopped !== undefined && report === undefined)
      return failOnce(`${project} tests`, describeEnd('vitest', end));
    return tallyVitest({ report, code: end.code, root: projectRoot });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runRadosgw(context: StepContext): Promise<Tally> {
  await installTestPackages(context.say);
  return runVitest('radosgw', 20 * minute, context);
}

async function runGo({ signal, say, cgroup }: StepContext): Promise<Tally> {
  const go = await provideGo(say);
  const cwd = join(projectRoot, 'workers/shim');
  const env = { GOTOOLCHAIN: 'local', GOFLAGS: '-mod=readonly', CGO_ENABLED: '0' };
  const common = { command: go.command, cwd, env, timeoutMs: 10 * minute, signal, say, cgroup };
  const vet = await runCommand({ ...common, args: ['vet', './...'] });
  let output = '';
  const test = await runCommand({
    ...common,
    args: ['test', '-json', './...'],
    onOutput: (text) => (output += text),
  });
  const tally = tallyGo(output, test.code);
  if (tally.failures.length > 0) wordsOfGo(output).split('\n').forEach(say);
  return addTallies([vet.code === 0 ? passOnce() : failOnce('go vet', describeEnd('go vet', vet)), tally]);
}

/** What the tests printed, out of the JSON. */
function wordsOfGo(output: string): string {
  return output
    .split('\n')
    .map((line): string => {
      if (!line.startsWith('{')) return `${line}\n`;
      const { Output = '' }: { Output?: string } = JSON.parse(line);
      return Output;
    })
    .join('');
}

function describeEnd(what: string, { code, stopped }: CommandEnd): string {
  if (stopped === 'timeout') return `${what} did not end in time and was stopped`;
  if (stopped === 'interrupted') return `${what} was interrupted`;
  return `${what} ended with code ${code}, see above`;
}
