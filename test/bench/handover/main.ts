/**
 * `npm run bench:handover -- [--runs 10] [--json FILE] [--cluster NAME]`: how long a run takes from one stage to the next,
 * beside Jobs by hand, on a cluster of its own with the chart as the e2e tests install it. `--cluster` uses one that is
 * up already and leaves it up. Nothing fails for being slow: rows say whether their targets hold.
 */
import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { listenForInterrupts } from '../../../cli/interrupts.ts';
import { endForeground, orInterrupted } from '../../demo/interrupt.ts';
import { openBed } from '../../support/e2e/bed.ts';
import { setup } from '../../support/e2e/install.ts';
import { provideClusters, type SharedCluster } from '../../support/run-cluster.ts';
import { type HandoverRow, measureHandover } from './measure.ts';

/** How long taking the cluster down may take; its supervisor finishes the rest. */
const TAKE_DOWN_MS = 60_000;

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10' },
    json: { type: 'string' },
    cluster: { type: 'string' },
  },
});
const runs = Number(values.runs);
if (!Number.isInteger(runs) || runs < 1) throw new Error('--runs is a whole number from 1 on');
const say = (line: string): void => console.error(line);
const interrupted = new AbortController();
listenForInterrupts((name) => interrupted.abort(new Error(`ended by ${name}`)));
process.exitCode = await main(interrupted.signal).catch((error: unknown) => {
  say(error instanceof Error ? error.message : String(error));
  return 1;
});
process.exit();

async function main(signal: AbortSignal): Promise<number> {
  const starting = provideClusters({
    existing: values.cluster,
    kinds: new Set(['nodes'] as const),
    background: undefined,
    say,
  }).get('nodes');
  if (starting === undefined) throw new Error('unreachable: one cluster was asked for');
  try {
    const rows = await orInterrupted(measure(starting), signal);
    console.table(rows);
    if (values.json !== undefined)
      await writeFile(values.json, `${JSON.stringify({ rows }, undefined, 2)}\n`);
    return 0;
  } finally {
    if (signal.aborted) endForeground();
    if (values.cluster === undefined) say('Taking the cluster down');
    await Promise.race([
      starting.then((cluster) => cluster.stop()).catch(() => undefined),
      sleep(TAKE_DOWN_MS),
    ]);
  }
}

async function measure(starting: Promise<SharedCluster>): Promise<HandoverRow[]> {
  const { environment } = await starting;
  // The bed finds its cluster as in a test.
  Object.assign(process.env, environment);
  say('Installing the chart');
  await setup();
  const bed = await openBed();
  try {
    return await measureHandover(bed, runs, say);
  } finally {
    await bed.close();
  }
}
