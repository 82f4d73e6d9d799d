/**
 * How many keys a copy lists, renames and plans per second of its own processor time, against a store in another
 * process: `node test/bench/plan.ts [keys] [keyEquivalence]`. Prints one line of JSON.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { copyStage } from '../../operator/api/copystage.ts';
import { rename } from '../../workers/contract/rename.ts';
import { resolveJob, type CopyJob } from '../../workers/copy/job.ts';
import { enableLinearExpressions } from '../../workers/copy/linear.ts';
import { listPages } from '../../workers/copy/list.ts';
import { LocalStore } from '../../workers/copy/localstore.ts';
import { planStage } from '../../workers/copy/planning.ts';
import { PlanProblems } from '../../workers/copy/problems.ts';
import { S3Client } from '../../workers/s3/client.ts';
import { fixedCredentials } from '../../workers/s3/credentials.ts';
import { spawnDouble } from '../support/s3double/process.ts';

const [count = '1000000', keyEquivalence = 'Auto'] = process.argv.slice(2);
const stage = copyStage.parse({
  source: { store: 'lake', bucket: 'raw', prefix: '2026/' },
  destination: { store: 'lake', bucket: 'lake', prefix: 'digits/' },
  rename: [{ match: '^IMG_(?<n>\\d+)(?<label>\\d)$', replace: 'label={label}/{n}.png' }],
  keyEquivalence,
});
const signal = new AbortController().signal;

/** Keys per second of processor time. */
async function measure(work: () => Promise<number>): Promise<number> {
  const before = process.cpuUsage();
  const keys = await work();
  const { user, system } = process.cpuUsage(before);
  return Math.round(keys / ((user + system) / 1e6));
}

async function listAndRename(client: S3Client, job: CopyJob): Promise<number> {
  const facts = { key: '', size: 0, lastModified: '', hash: () => '' };
  let renamed = 0;
  for await (const page of listPages(client, job.source, signal)) {
    for (const { key } of page) {
      facts.key = key.slice(job.source.prefix.length);
      if (job.rules !== undefined && rename(job.rules, facts) !== undefined) renamed += 1;
    }
  }
  return renamed;
}

enableLinearExpressions();
const double = await spawnDouble({
  buckets: ['raw', 'lake'],
  series: [{ bucket: 'raw', prefix: '2026/IMG_', count: Number(count) }],
});
const { endpoint } = double;
const credentials = fixedCredentials({ accessKeyId: 'bench', secretAccessKey: 'bench' });
const client = new S3Client({ endpoint, region: 'us-east-1', credentials });
const directory = await mkdtemp(join(tmpdir(), 'ebbflow-bench-'));
try {
  const problems = new PlanProblems();
  const job = resolveJob(stage, problems);
  const listed = await measure(() => listAndRename(client, job));
  const planned = await measure(async () => {
    const planning = {
      job,
      problems,
      sides: { source: client, destination: client },
      owner: 'bench',
      scratch: { directory, limit: Number.POSITIVE_INFINITY },
      crew: { most: 4, share: 1 },
      results: new LocalStore(join(directory, 'results')),
      worker: { stage: 'arrange' },
    };
    return (await planStage(planning, new Set(), { planning: signal, storing: signal })).index.rows;
  });
  const { maxRSS } = process.resourceUsage();
  const result = {
    keys: Number(count),
    keyEquivalence,
    listedAndRenamed: listed,
    planned,
    maxRSS: maxRSS * 1024,
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
} finally {
  await client.close();
  await double.stop();
  await rm(directory, { recursive: true });
}
