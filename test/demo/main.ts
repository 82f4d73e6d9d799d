/** `npm run demo`: a PipelineRun from `kubectl apply` to nothing left, on a real cluster that scales from zero. */
import { setTimeout as sleep } from 'node:timers/promises';
import { listenForInterrupts } from '../../cli/interrupts.ts';
import { assertMachineFits } from '../cluster/cluster.ts';
import type { Cluster } from '../cluster/types.ts';
import { announce } from './announce.ts';
import { endForeground, orInterrupted } from './interrupt.ts';
import { formatSeconds } from './live.ts';
import { type DemoOptions, readOptions, usage } from './options.ts';
import { renderReceipt } from './receipt.ts';
import { describeKept, performRun, writeReceipt } from './run.ts';
import { Screen } from './screen.ts';
import { type DemoImages, forgetKept, prepare, startDemoCluster } from './setup.ts';
import { explainOperator } from './install.ts';

/** How long taking the cluster down may take before the demo gives up on it; its supervisor then goes on. */
const cleanUpMs = 60_000;

/** How long the interrupted set-up may take to put away what it was at. */
const setUpEndMs = 10_000;

const startedAt = Date.now();
const screen = new Screen(process.stdout);
const say = (line: string): void => screen.say(line);
const interruption = new AbortController();

function onSignal(name: NodeJS.Signals): void {
  say(
    `${name}: cleaning up (at most ${cleanUpMs / 1000} s; Ctrl-C again leaves it to the cluster's supervisor)`,
  );
  interruption.abort(new Error('interrupted'));
}

/** Whether the work was done in that time. */
async function within(work: Promise<unknown>, ms: number): Promise<boolean> {
  const done = work.then(
    () => true,
    () => false,
  );
  return Promise.race([done, sleep(ms, false)]);
}

/** What was interrupted puts away its own mounts and files; what would go on nevertheless ends with this process. */
async function endSetUp(preparing: Promise<unknown> | undefined): Promise<void> {
  endForeground();
  if (preparing !== undefined) await within(preparing, setUpEndMs);
  endForeground();
}

async function runDemo(options: DemoOptions): Promise<number> {
  const { signal } = interruption;
  assertMachineFits();
  if (!(await announce(options, say, signal))) return 1;
  let preparing: Promise<DemoImages> | undefined;
  let starting: Promise<Cluster> | undefined;
  let cluster: Cluster | undefined;
  let keep = false;
  try {
    preparing = prepare(say);
    const images = await orInterrupted(preparing, signal);
    await orInterrupted(forgetKept(options.name, say), signal);
    signal.throwIfAborted();
    starting = startDemoCluster(options, images, say);
    cluster = await orInterrupted(starting, signal);
    const receipt = await performRun({ cluster, images, screen, startedAt, signal });
    say('');
    for (const line of renderReceipt(receipt)) say(line);
    if (options.json !== undefined) await writeReceipt(options.json, receipt);
    keep = options.keep;
    if (keep) describeKept(cluster, options.name, receipt).forEach(say);
    say('');
    say(receipt.succeeded ? 'Everything is as promised.' : 'Not everything is as promised: see above.');
    if (!receipt.succeeded) say(await explainOperator(cluster));
    return receipt.succeeded ? 0 : 1;
  } catch (error) {
    if (signal.aborted) return 130;
    say(`The demo failed: ${error instanceof Error ? error.message : String(error)}`);
    if (cluster !== undefined) say(await explainOperator(cluster));
    return 1;
  } finally {
    if (signal.aborted) await endSetUp(preparing);
    if (starting !== undefined && !keep) {
      const began = Date.now();
      const isGone = await within(
        // What did not come up was taken down by whoever started it.
        starting.then(
          (started) => started.stop(),
          () => undefined,
        ),
        cleanUpMs,
      );
      const took = formatSeconds((Date.now() - began) / 1000);
      say(isGone ? `The cluster is gone (${took}).` : 'The cluster is not gone yet: its supervisor goes on.');
    }
  }
}

listenForInterrupts(onSignal);
let options: DemoOptions;
try {
  options = readOptions(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
  process.exit(2);
}
if (options.help) process.stdout.write(usage);
const code = options.help
  ? 0
  : await runDemo(options).catch((error: unknown) => {
      say(error instanceof Error ? error.message : String(error));
      return interruption.signal.aborted ? 130 : 1;
    });
process.exit(code);
