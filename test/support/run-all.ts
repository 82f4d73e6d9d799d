/**
 * `npm test`: everything, in order, with one set-up. `--only unit,chart` runs some of it, `--cluster NAME` uses a
 * cluster that is up already. The last line is `N passed, N failed`.
 */
import { parseArgs } from 'node:util';
import { provideCluster, type SharedCluster } from './run-cluster.ts';
import { type Step, type StepContext, steps } from './run-steps.ts';
import { addTallies, exitCode, failOnce, lastLine, type Tally } from './run-tally.ts';

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
const done: { step: string; seconds: number; tally: Tally }[] = [];

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

  const needCluster = wanted.filter((step) => step.cluster);
  // Mostly compiling once, and waiting later: the other steps run beside it.
  const cluster: Promise<SharedCluster> | undefined =
    needCluster.length > 0
      ? provideCluster({
          existing: values.cluster,
          images: needCluster.some((step) => step.images === true),
          say: (line) => say(`  [cluster] ${line}`),
        })
      : undefined;
  cluster?.catch(() => undefined);

  try {
    for (const step of wanted.filter((each) => !each.cluster)) await perform(step, {});
    if (cluster !== undefined) await performOn(cluster, needCluster);
  } finally {
    await takeDown(cluster);
  }
  return summarize(wanted);
}

async function performOn(cluster: Promise<SharedCluster>, needCluster: readonly Step[]): Promise<void> {
  const waited = performance.now();
  try {
    const { environment, imagesFailed } = await untilInterrupted(cluster);
    say(`  [cluster] usable; waited ${seconds(waited)} s for it after the other steps`);
    for (const step of needCluster) {
      if (step.images === true && imagesFailed !== undefined)
        done.push({ step: step.name, seconds: 0, tally: failOnce(step.name, `no images: ${imagesFailed}`) });
      else await perform(step, environment);
    }
  } catch (error) {
    const why = `no cluster: ${error instanceof Error ? error.message : String(error)}`;
    for (const { name } of needCluster) done.push({ step: name, seconds: 0, tally: failOnce(name, why) });
  }
}

async function perform(step: Step, clusterEnvironment: Readonly<Record<string, string>>): Promise<void> {
  if (interrupted.signal.aborted) return;
  say(`\n=== ${step.name} ===`);
  const start = performance.now();
  const context: StepContext = { signal: interrupted.signal, say, clusterEnvironment };
  const tally = await step
    .run(context)
    .catch((error: unknown) => failOnce(step.name, error instanceof Error ? error.message : String(error)));
  done.push({ step: step.name, seconds: seconds(start), tally });
  say(`--- ${step.name}: ${lastLine(tally)}, ${seconds(start)} s`);
}

async function takeDown(cluster: Promise<SharedCluster> | undefined): Promise<void> {
  if (cluster === undefined) return;
  const start = performance.now();
  try {
    const shared = await untilInterrupted(cluster);
    await shared.stop();
    say(`\n  [cluster] taken down in ${seconds(start)} s`);
  } catch (error) {
    say(`\n  [cluster] ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** A set-up that is under way cannot be stopped, but it need not be waited for: it ends with this process. */
function untilInterrupted<T>(promise: Promise<T>): Promise<T> {
  const gaveUp = Promise.withResolvers<never>();
  const onAbort = (): void => void setTimeout(() => gaveUp.reject(new Error('interrupted')), 5_000);
  if (interrupted.signal.aborted) onAbort();
  else interrupted.signal.addEventListener('abort', onAbort, { once: true });
  return Promise.race([promise, gaveUp.promise]);
}

/** Prints times, failures and the last line; returns the exit code. */
function summarize(wanted: readonly Step[]): number {
  const missing = wanted.filter(({ name }) => !done.some(({ step }) => step === name));
  for (const { name } of missing)
    done.push({ step: name, seconds: 0, tally: failOnce(name, 'did not run: the test run was stopped') });
  const total = addTallies(done.map(({ tally }) => tally));

  say('\n=== summary ===');
  for (const { step, seconds: took, tally } of done)
    say(`${step.padEnd(12)} ${String(took).padStart(7)} s   ${lastLine(tally)}`);
  const left = steps.filter((step) => !wanted.includes(step)).map(({ name }) => name);
  if (left.length > 0) say(`not asked for: ${left.join(', ')}`);
  if (total.failures.length > 0) say('\nFailures:');
  for (const { name, why } of total.failures) say(`  ${name}\n      ${why}`);
  say(`\nAll of it took ${seconds(began)} s.`);
  say(lastLine(total));
  return exitCode(total);
}

function seconds(since: number): number {
  return Math.round((performance.now() - since) / 100) / 10;
}
