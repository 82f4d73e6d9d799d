import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawnDouble } from '../../support/s3double/process.ts';
import { ebbflowCopy } from './contenders.ts';
import { measure } from './measure.ts';
import { type BenchRow, makeRow } from './rows.ts';

const rule = { match: '^(?<day>\\d+/\\d+)/IMG_(?<n>\\d+)$', replace: 'n={n}/{day}' };
const prefix = 'in/';
const credentials = { region: 'us-east-1', accessKeyId: 'a', secretAccessKey: 's' };
const program = fileURLToPath(new URL('listing.ts', import.meta.url));

/** Lists, renames and proves `keys` keys of a double in another process, whose work is not counted. */
export async function benchPlanning(
  bed: { readonly folder: string; readonly say: (line: string) => void; readonly signal: AbortSignal },
  keys: number,
): Promise<BenchRow[]> {
  const { say, signal } = bed;
  const series = [{ bucket: 'raw', prefix: `${prefix}2026/0101/IMG_`, count: keys }];
  const double = await spawnDouble({ buckets: ['raw', 'lake'], series });
  const scratch = await mkdtemp(join(bed.folder, 'plan-'));
  try {
    say(`Listing and renaming ${keys} keys`);
    const args = [program, double.endpoint, 'raw', prefix, rule.match, rule.replace];
    const listing = await measure({ command: process.execPath, args, env: {} }, signal);
    const { renamed }: { renamed: number } = JSON.parse(listing.stdout);
    if (renamed !== keys) throw new Error(`${renamed} of ${keys} keys were renamed`);
    say(`Planning a copy of ${keys} keys`);
    const places = ['plan', 's3://raw/in/', 's3://lake/out/', '--json', '--quiet'];
    const rules = ['--match', rule.match, '--replace', rule.replace];
    const store = { endpoint: double.endpoint, ...credentials };
    const planning = await measure(ebbflowCopy(store, [...places, ...rules], scratch), signal);
    const { plan }: { plan: { rows: number; renamed: number } } = JSON.parse(planning.stdout);
    if (plan.rows !== keys || plan.renamed !== keys) throw new Error(`the plan has ${plan.rows} rows`);
    const name = `plan of ${keys.toLocaleString('en')} keys`;
    return [
      makeRow('list and one rename rule', keys / listing.cpuSeconds, 'keys per CPU second', {
        least: 300_000,
      }),
      makeRow(`${name}: proof and shards included`, keys / planning.cpuSeconds, 'keys per CPU second', {
        least: 100_000,
      }),
      makeRow(`${name}: whole time`, planning.seconds, 's'),
      makeRow(`${name}: peak memory`, planning.peakBytes / 1024 ** 2, 'MiB', { most: 256 }),
    ];
  } finally {
    await double.stop();
    await rm(scratch, { recursive: true, force: true });
  }
}
