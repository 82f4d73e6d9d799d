/**
 * `npm run bench:copy -- [--json FILE] [--rounds 3] [--quick] [--docs FOLDER]`: `ebbflow copy` beside s5cmd and rclone on one versitygw, planning, and behaviour at
 * a limit. Writes benchmarks.md and its plot into docs/, unless it is `--quick`, which only shows that all of it works.
 * Nothing fails for being slow: rows say whether their targets hold.
 */
import { rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { listenForInterrupts } from '../../../cli/interrupts.ts';
import { version } from '../../../workers/contract/version.ts';
import { provideBinaries } from '../../cluster/binaries.ts';
import { projectRoot } from '../../cluster/paths.ts';
import { clientOf } from '../../support/copybed.ts';
import { startGateway } from '../../support/versitygw.ts';
import { drawChart } from './chart.ts';
import { buildEbbflow, openContenders } from './contenders.ts';
import { benchPlanning } from './planning.ts';
import { writePage, writeText } from './report.ts';
import { type BenchRow, rowsOfSet, type SetResult } from './rows.ts';
import { benchSet, makeFolder, type ObjectSet } from './sets.ts';
import { benchThrottling } from './throttling.ts';

interface Scale {
  readonly rounds: number;
  readonly sets: readonly ObjectSet[];
  readonly plannedKeys: number;
  readonly throttle: { readonly rate: number; readonly settle: number; readonly seconds: number };
}

const MiB = 1024 ** 2;
const full: Scale = {
  rounds: 3,
  sets: [
    { name: '4 KiB', objects: 20_000, size: 4096 },
    { name: '1 MiB', objects: 2_000, size: MiB },
    { name: '256 MiB', objects: 8, size: 256 * MiB },
  ],
  plannedKeys: 5_000_000,
  throttle: { rate: 400, settle: 10, seconds: 30 },
};
const quick: Scale = {
  rounds: 1,
  sets: [
    { name: '4 KiB', objects: 100, size: 4096 },
    { name: '1 MiB', objects: 5, size: MiB },
  ],
  plannedKeys: 20_000,
  throttle: { rate: 100, settle: 2, seconds: 2 },
};

const { values } = parseArgs({
  options: {
    json: { type: 'string' },
    docs: { type: 'string' },
    rounds: { type: 'string' },
    quick: { type: 'boolean', default: false },
  },
});
const say = (line: string): void => console.error(line);
const interrupted = new AbortController();
listenForInterrupts((name) => interrupted.abort(new Error(`ended by ${name}`)));
const chosen = values.quick ? quick : full;
const rounds = Number(values.rounds ?? chosen.rounds);
if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds is a whole number from 1 on');
await main({ ...chosen, rounds });

async function main(scale: Scale): Promise<void> {
  const binaries = await provideBinaries(['versitygw', 's5cmd', 'rclone'], say);
  say('Compiling ebbflow');
  await buildEbbflow();
  const contenders = await openContenders(binaries, version);
  const folder = await makeFolder(tmpdir());
  const gateway = await startGateway();
  const client = clientOf(gateway);
  const bed = { gateway, client, contenders, folder, say, signal: interrupted.signal };
  const results: SetResult[] = [];
  const rows: BenchRow[] = [];
  try {
    for (const set of scale.sets) {
      const result = await benchSet(bed, set, scale.rounds);
      results.push(result);
      await keep(rows, rowsOfSet(result));
    }
    await keep(rows, await benchPlanning(bed, scale.plannedKeys));
    for (const processes of [1, 4]) {
      await keep(rows, await benchThrottling(bed, { processes, ...scale.throttle }));
    }
  } finally {
    await client.close();
    await gateway.stop();
    await rm(folder, { recursive: true, force: true });
  }
  console.log(writeText(rows));
  const docs = values.docs ?? (values.quick ? undefined : join(projectRoot, 'docs'));
  if (docs === undefined) return;
  const tools = contenders.map((contender) => [contender.name, contender.version] as const);
  const page = writePage({
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    programs: { ...Object.fromEntries(tools), versitygw: 'v1.7.0', 'Node.js': process.version },
    rounds: scale.rounds,
    rows,
  });
  await writeFile(join(docs, 'benchmarks.md'), page);
  await writeFile(join(docs, 'benchmarks-copy.svg'), drawChart(results));
}

/** What was measured is kept at once, whatever becomes of the rest. */
async function keep(rows: BenchRow[], more: readonly BenchRow[]): Promise<void> {
  rows.push(...more);
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify({ rows }, undefined, 2)}\n`);
}
