/**
 * `npm test`: everything, with one set-up. `--only unit,chart` runs some of it, `--cluster NAME` uses a cluster that
 * is up already. The last line is `N passed, N failed`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Background, makeBackground } from '../cluster/background.ts';
import { type ClusterKind, provideClusters, type SharedCluster } from './run-cluster.ts';
import { performSteps, secondsSince, type StepResult, untilInterrupted } from './run-perform.ts';
import { type Step, steps } from './run-steps.ts';
import { addTallies, exitCode, failOnce, lastLine } from './run-tally.ts';

/** All of it, first compilation included, must end within this. */
const TOTAL_MS = 80 * 60_000;
/** How long taking down may take once the run was interrupted; the cluster's supervisor finishes the rest. */
const LAST_GRACE_MS = 45_000;

const { values } = parseArgs({
  options: { only: { type: 'string' }, cluster: { type: 'string' } },
});

const began = performance.now();
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const interrupted = new AbortController();
const done: StepResult[] = [];

const chosen = chooseSteps(values.only);
process.exitCode = await main(chosen);
process.exit();

function chooseSteps(only: string | undefined): readonly Step[] {
  const names = only?.split(',').map((name) => name.trim());
  const unknown = names?.filter((name) => !steps.some((step) => step.name === name)) ?? [];
  if (unknown.length > 0) {
    process.stderr.write(
      `unknown: ${unknown.join(', ')}. Steps: ${steps.map(({ name }) => name).join(', ')}\n`,
    );
    process.exit(2);
  }
  return steps.filter(({ name }) => names?.includes(name) ?? true);
}

async function main(wanted: readonly Step[]): Promise<number> {
  const stop = (why: string): void => {
    if (interrupted.signal.aborted) return;
    say(`\n${why}: stopping and cleaning up`);
    interrupted.abort(new Error(why));
    setTimeout(() => process.exit(summarize(wanted)), LAST_GRACE_MS).unref();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop(signal));
  setTimeout(() => stop(`the limit of ${TOTAL_MS / 60_000} minutes`), TOTAL_MS).unref();

  // Hundreds of processes load the same modules: what V8 and the stripping of types make of one is kept for the next.
  const compiled = await mkdtemp(join(tmpdir(), 'ebbflow-compiled-'));
  process.env['NODE_COMPILE_CACHE'] = compiled;
  const background = await provideBackground(wanted);
  const clusters = provideClusters({
    existing: values.cluster,
    kinds: new Set(wanted.flatMap(({ cluster }) => cluster ?? [])),
    background,
    say: (line) => say(`  [cluster] ${line}`),
  });
  for (const cluster of clusters.values()) cluster.catch(() => undefined);
  const { signal } = interrupted;
  try {
    await performSteps(wanted, {
      clusters,
      background,
      signal,
      say,
      onUnneeded: async (kind) => {
        if (kind === 'nodes') await background?.release();
        await takeDown(clusters, kind);
      },
      onResult: (result) => done.push(result),
    });
  } finally {
    await Promise.all([...clusters.keys()].map((kind) => takeDown(clusters, kind)));
    await background?.remove();
    await rm(compiled, { recursive: true, force: true });
  }
  return summarize(wanted);
}

/**
 * Where steps go on beside whole runs without taking anything from them. Undefined where there is no way, no need, or
 * one cluster for everything: tests of the first kind take away what an operator lives by.
 */
async function provideBackground(wanted: readonly Step[]): Promise<Background | undefined> {
  const wholeRuns = wanted.filter(({ cluster }) => cluster === 'nodes').length;
  const isNeeded = wholeRuns > 0 && wholeRuns < wanted.length;
  if (!isNeeded || values.cluster !== undefined) return undefined;
  try {
    return await makeBackground();
  } catch (error) {
    say(
      `one step after the other, which takes longer: ${error instanceof Error ? error.message : String(error)}`,
    );
    return undefined;
  }
}

/** Harmless when it has been done. */
async function takeDown(
  clusters: Map<ClusterKind, Promise<SharedCluster>>,
  kind: ClusterKind,
): Promise<void> {
  const cluster = clusters.get(kind);
  clusters.delete(kind);
  if (cluster === undefined) return;
  const start = performance.now();
  try {
    const shared = await untilInterrupted(cluster, interrupted.signal);
    await shared.stop();
    say(`  [cluster] ${kind}: taken down in ${secondsSince(start)} s`);
  } catch (error) {
    say(`  [cluster] ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Prints times, failures and the last line; returns the exit code. */
function summarize(wanted: readonly Step[]): number {
  const missing = wanted.filter(({ name }) => !done.some(({ step }) => step === name));
  for (const { name } of missing)
    done.push({ step: name, seconds: 0, tally: failOnce(name, 'did not run: the test run was stopped') });
  const inOrder = wanted.flatMap(({ name }) => done.find(({ step }) => step === name) ?? []);
  const total = addTallies(inOrder.map(({ tally }) => tally));

  say('\n=== summary ===');
  for (const { step, seconds: took, tally } of inOrder)
    say(`${step.padEnd(12)} ${String(took).padStart(7)} s   ${lastLine(tally)}`);
  const left = steps.filter((step) => !wanted.includes(step)).map(({ name }) => name);
  if (left.length > 0) say(`not asked for: ${left.join(', ')}`);
  if (total.failures.length > 0) say('\nFailures:');
  for (const { name, why } of total.failures) say(`  ${name}\n      ${why}`);
  say(`\nAll of it took ${secondsSince(began)} s.`);
  say(lastLine(total));
  return exitCode(total);
}
