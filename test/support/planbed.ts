import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CopyStage } from '../../operator/api/copystage.ts';
import type { PlanIndex, PlanRow } from '../../workers/contract/copyplan.ts';
import { planReportKey } from '../../workers/contract/keys.ts';
import { planReport, type PlanReport } from '../../workers/contract/planreport.ts';
import { resolveJob } from '../../workers/copy/job.ts';
import { enableLinearExpressions } from '../../workers/copy/linear.ts';
import { LocalStore } from '../../workers/copy/localstore.ts';
import { planStage } from '../../workers/copy/planning.ts';
import { readPlanIndex, readShard } from '../../workers/copy/planstore.ts';
import { PlanProblems } from '../../workers/copy/problems.ts';
import { S3Client } from '../../workers/s3/client.ts';
import { fixedCredentials } from '../../workers/s3/credentials.ts';
import { putObject } from '../../workers/s3/objects.ts';
import { startDouble, type S3Double } from './s3double/server.ts';
import type { DoubleSetup } from './s3double/setup.ts';

const signal = AbortSignal.timeout(600_000);
const owner = '01234567-0123-4123-8123-0123456789ab-arrange';

/** What the copy member of a stage says beside its places. */
export type PlanOptions = Omit<CopyStage, 'source' | 'destination'> & {
  readonly workers?: number;
  /** Small objects for which another worker is worth its start. */
  readonly share?: number;
  /** Bytes of a file that are held in memory. */
  readonly memory?: number;
  readonly limit?: number;
};

/** A store of its own with buckets `raw` and `lake`, and plans that copy `raw/in/` to `lake/out/`. */
export class PlanBed {
  readonly double: S3Double;
  readonly client: S3Client;
  /** Where the last plan was stored. */
  results: LocalStore | undefined;
  readonly #folder: string;

  private constructor(double: S3Double, folder: string) {
    this.double = double;
    this.#folder = folder;
    const credentials = fixedCredentials({ accessKeyId: 'a', secretAccessKey: 's' });
    this.client = new S3Client({
      endpoint: double.endpoint,
      region: 'us-east-1',
      credentials,
      retry: { attempts: 2, baseDelay: 1, maxDelay: 2 },
    });
  }

  static async start(setup: DoubleSetup = {}): Promise<PlanBed> {
    enableLinearExpressions();
    const double = await startDouble({ buckets: ['raw', 'lake', 'lists'], ...setup });
    return new PlanBed(double, await mkdtemp(join(tmpdir(), 'ebbflow-plan-')));
  }

  async put(bucket: string, key: string, body: string | Buffer = key): Promise<void> {
    await putObject(this.client, { bucket, key, body: Buffer.from(body) }, signal);
  }

  /** Plans and stores the plan. @throws PlanRefused, as the worker would see it. */
  async plan(
    options: PlanOptions = {},
    places: { source?: CopyStage['source']; destination?: CopyStage['destination'] } = {},
  ): Promise<{ readonly index: PlanIndex; readonly rows: readonly PlanRow[] }> {
    const { workers = 1, share = 1, memory, limit = 1024 ** 3, ...copy } = options;
    const problems = new PlanProblems();
    const source = { store: 'lake', bucket: 'raw', prefix: 'in/', ...places.source };
    const destination = { store: 'lake', bucket: 'lake', prefix: 'out/', ...places.destination };
    const job = resolveJob({ ...copy, source, destination }, problems);
    const directory = await mkdtemp(join(this.#folder, 'run-'));
    const results = new LocalStore(join(directory, 'results'));
    const stage = 'arrange';
    this.results = results;
    const scratch = { directory, limit, ...(memory !== undefined && { memory }) };
    const sides = { source: this.client, destination: this.client };
    const crew = { most: workers, share };
    await planStage({ job, sides, problems, owner, scratch, crew, results, worker: { stage } }, new Set(), {
      planning: signal,
      storing: signal,
    });
    const existing = await results.list(stage);
    const index = await readPlanIndex(results, stage, existing, signal);
    if (index === undefined) throw new Error('the plan was not stored');
    const rows: PlanRow[] = [];
    for (const shard of index.shards) rows.push(...(await readShard(results, stage, shard, signal)));
    return { index, rows };
  }

  /** The report beside the last plan. */
  async report(): Promise<PlanReport> {
    const body = await this.results?.get(planReportKey('arrange'), signal);
    return planReport.parse(JSON.parse(body?.toString('utf8') ?? ''));
  }

  async stop(): Promise<void> {
    await this.client.close();
    await this.double.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
