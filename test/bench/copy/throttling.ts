import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { S3Client } from '../../../workers/s3/client.ts';
import { fixedCredentials } from '../../../workers/s3/credentials.ts';
import { listAll } from '../../support/copybed.ts';
import { type DoubleProcess, spawnDouble } from '../../support/s3double/process.ts';
import { ebbflowCopy } from './contenders.ts';
import { type BenchRow, makeRow } from './rows.ts';

/** A store that takes so many writes per second in all, and how long it is watched. */
export interface ThrottleTest {
  readonly processes: number;
  /** Requests per second. */
  readonly rate: number;
  /** Seconds until everybody may be expected to know the rate, and seconds that count after that. */
  readonly settle: number;
  readonly seconds: number;
}

const credentials = { region: 'us-east-1', accessKeyId: 'a', secretAccessKey: 's' };

/**
 * Lets processes that know nothing of each other copy into one bucket with one limit, and looks at what the limit let through and
 * refused after the first seconds.
 */
export async function benchThrottling(
  bed: { readonly folder: string; readonly say: (line: string) => void; readonly signal: AbortSignal },
  test: ThrottleTest,
): Promise<BenchRow[]> {
  const { processes, rate, settle, seconds } = test;
  const each = Array.from({ length: processes }, (_, number) => number);
  // More than anybody can copy in the time, so that nobody is done before its end.
  const count = Math.ceil(rate * (settle + seconds) * 1.5);
  const double = await spawnDouble({
    buckets: ['raw', 'lake'],
    series: each.map((number) => ({ bucket: 'raw', prefix: `in${number}/`, count })),
    limits: [{ bucket: 'lake', requests: 'write', rate }],
  });
  const folder = await mkdtemp(join(bed.folder, 'throttle-'));
  const children: ChildProcess[] = [];
  try {
    bed.say(`${processes} ${processes === 1 ? 'process' : 'processes'} at a limit of ${rate} requests/s`);
    for (const number of each) children.push(startCopy(double, number, join(folder, String(number))));
    await untilAllCopy(double, each, bed.signal);
    await sleep(settle * 1000, undefined, { signal: bed.signal });
    const before = await look(double, each);
    await sleep(seconds * 1000, undefined, { signal: bed.signal });
    const after = await look(double, each);
    const ended = children.filter(({ exitCode }) => exitCode !== null).length;
    if (ended > 0) throw new Error(`${ended} of ${processes} copies ended before their time`);
    return rowsOf(test, before, after);
  } finally {
    for (const child of children) await end(child);
    await double.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** What was let through, refused and copied up to a moment. */
interface Look {
  /** Milliseconds. */
  readonly at: number;
  readonly admitted: number;
  readonly refused: number;
  /** By process. */
  readonly copies: readonly number[];
}

async function look(double: DoubleProcess, each: readonly number[]): Promise<Look> {
  const sum = (counts: readonly number[] = []): number => counts.reduce((total, count) => total + count, 0);
  const [limit] = (await double.stats()).limits;
  const at = performance.now();
  const copies = await countCopies(double, each);
  return { at, admitted: sum(limit?.admitted), refused: sum(limit?.refused), copies };
}

function rowsOf({ processes, rate }: ThrottleTest, before: Look, after: Look): BenchRow[] {
  const admitted = after.admitted - before.admitted;
  const refused = after.refused - before.refused;
  const capacity = (rate * (after.at - before.at)) / 1000;
  const name = processes === 1 ? 'throttled, 1 process' : `throttled, ${processes} processes`;
  const least = processes === 1 ? 95 : 90;
  const rows = [
    makeRow(`${name}: capacity used`, (100 * admitted) / capacity, '%', { least }),
    makeRow(`${name}: requests refused`, (100 * refused) / Math.max(1, admitted + refused), '%', { most: 2 }),
  ];
  if (processes === 1) return rows;
  const shares = after.copies.map((copies, number) => copies - (before.copies[number] ?? 0));
  const fair = shares.reduce((total, share) => total + share, 0) / processes;
  return [
    ...rows,
    makeRow(`${name}: smallest share beside a fair one`, Math.min(...shares) / fair, 'ratio', { least: 0.5 }),
  ];
}

function startCopy(double: DoubleProcess, number: number, scratch: string): ChildProcess {
  const store = { endpoint: double.endpoint, ...credentials };
  const places = [`s3://raw/in${number}/`, `s3://lake/out${number}/`, '--quiet'];
  const { command, args, env } = ebbflowCopy(store, places, scratch);
  return spawn(command, args, { env: { PATH: process.env['PATH'], ...env }, stdio: 'ignore' });
}

async function untilAllCopy(
  double: DoubleProcess,
  each: readonly number[],
  signal: AbortSignal,
): Promise<void> {
  const late = AbortSignal.any([signal, AbortSignal.timeout(60_000)]);
  while ((await countCopies(double, each)).includes(0)) await sleep(250, undefined, { signal: late });
}

async function countCopies(double: DoubleProcess, each: readonly number[]): Promise<number[]> {
  const { endpoint } = double;
  const client = new S3Client({ endpoint, credentials: fixedCredentials(credentials) });
  const counts = await Promise.all(
    each.map(async (number) => (await listAll(client, 'lake', `out${number}/`)).length),
  );
  await client.close();
  return counts;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
