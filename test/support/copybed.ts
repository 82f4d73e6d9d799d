import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CopyStage } from '../../operator/api/copystage.ts';
import { ENV, type WorkerSpec, type WorkerStore } from '../../workers/contract/environment.ts';
import { workerManifest, type WorkerManifest } from '../../workers/contract/manifests.ts';
import { parseLedgerRow, type LedgerRow } from '../../workers/contract/ledger.ts';
import { unpackLines } from '../../workers/copy/frames.ts';
import { runCopyWorker } from '../../workers/copy/main.ts';
import { S3Client } from '../../workers/s3/client.ts';
import { fixedCredentials } from '../../workers/s3/credentials.ts';
import { listObjects } from '../../workers/s3/listpage.ts';
import { deleteObject, getObject, putObject } from '../../workers/s3/objects.ts';
import { startGrants, type GrantServer } from './grants.ts';
import type { S3Server } from './s3server.ts';

const childProgram = fileURLToPath(new URL('copychild.ts', import.meta.url));

/** Long enough for anything a test does. */
export const patientSignal = AbortSignal.timeout(3_600_000);

export function clientOf(gateway: S3Server, endpoint = gateway.endpoint): S3Client {
  const { accessKeyId, secretAccessKey, region } = gateway;
  return new S3Client({ endpoint, region, credentials: fixedCredentials({ accessKeyId, secretAccessKey }) });
}

/** All keys below a prefix, with sizes and ETags. */
export async function listAll(client: S3Client, bucket: string, prefix = '') {
  const found = [];
  let token: string | undefined;
  do {
    const page = await listObjects(client, { bucket, prefix, token }, patientSignal);
    found.push(...page.objects);
    token = page.nextToken;
  } while (token !== undefined);
  return found;
}

/** Writes many objects, a few at a time. */
export async function seed(
  client: S3Client,
  bucket: string,
  objects: Iterable<readonly [string, string | Buffer]>,
) {
  const queue = [...objects];
  const put = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      await putObject(client, { bucket, key: next[0], body: Buffer.from(next[1]) }, patientSignal);
    }
  };
  await Promise.all(Array.from({ length: 16 }, put));
}

/** The content of every object below a prefix. */
export async function contents(client: S3Client, bucket: string, prefix = ''): Promise<Map<string, string>> {
  const all = await listAll(client, bucket, prefix);
  const pairs = await Promise.all(
    all.map(async ({ key }) => {
      const body = await getObject(client, { bucket, key }, patientSignal);
      return [key, body?.toString('latin1') ?? '(gone)'] as const;
    }),
  );
  return new Map(pairs);
}

/** Deletes everything below a prefix. */
export async function empty(client: S3Client, bucket: string): Promise<void> {
  for (const { key } of await listAll(client, bucket))
    await deleteObject(client, { bucket, key }, patientSignal);
}

/** How one worker ended. */
export interface Ended {
  readonly code: number;
  readonly manifest: WorkerManifest | undefined;
  /** The termination message, as written. */
  readonly termination: string;
  /** Log lines, parsed. */
  readonly lines: readonly Record<string, unknown>[];
}

/** Which worker of how many a pod is. */
export interface PodOptions {
  readonly stores?: readonly WorkerStore[] | undefined;
  readonly index?: number | undefined;
  /** Workers that the stage may have. */
  readonly workers?: number | undefined;
}

/** One run with one copy stage, and as many pods for it, one after the other, as a test likes. */
export class CopyBed {
  readonly client: S3Client;
  readonly grants: GrantServer;
  readonly results: string;
  readonly #gateway: S3Server;
  readonly #folder: string;
  readonly #endpoint: string;

  private constructor(
    gateway: S3Server,
    made: { client: S3Client; grants: GrantServer; results: string; folder: string; endpoint: string },
  ) {
    this.#gateway = gateway;
    this.client = made.client;
    this.grants = made.grants;
    this.results = made.results;
    this.#folder = made.folder;
    this.#endpoint = made.endpoint;
  }

  /** `endpoint` is what the worker sees as its store: a proxy in front of the gateway, perhaps. */
  static async create(gateway: S3Server, results: string, endpoint = gateway.endpoint): Promise<CopyBed> {
    const client = clientOf(gateway);
    // Plan and ledger go the same way, so that a proxy sees them too.
    const signer = clientOf(gateway, endpoint);
    const grants = await startGrants(signer, { bucket: results, runUID: randomUUID(), stage: 'arrange' });
    const folder = await mkdtemp(join(tmpdir(), 'ebbflow-copy-'));
    return new CopyBed(gateway, { client, grants, results, folder, endpoint });
  }

  /** The environment of a pod; its UID is new every time. */
  async environment(
    copy: CopyStage,
    { stores, index = 0, workers = 1 }: PodOptions = {},
  ): Promise<Record<string, string>> {
    const podUID = randomUUID();
    const secret = await mkdtemp(join(this.#folder, 'store-'));
    await writeFile(join(secret, 'AWS_ACCESS_KEY_ID'), `${this.#gateway.accessKeyId}\n`);
    await writeFile(join(secret, 'AWS_SECRET_ACCESS_KEY'), this.#gateway.secretAccessKey);
    const token = join(secret, 'token');
    await writeFile(token, `${podUID}.${index}`);
    const store = {
      name: 'lake',
      endpoint: this.#endpoint,
      region: 'us-east-1',
      addressing: 'Path',
    } as const;
    const spec: WorkerSpec = {
      kind: 'copy',
      workers,
      // A few objects are enough for several.
      share: 50,
      copy,
      stores: [...(stores ?? [store])].map((given) => ({ credentials: secret, ...given })),
    };
    return {
      [ENV.run]: 'nightly',
      [ENV.runUID]: this.grants.prefix.split('/')[3] ?? '',
      [ENV.namespace]: 'default',
      [ENV.stage]: 'arrange',
      [ENV.attempt]: '1',
      [ENV.index]: String(index),
      [ENV.podName]: `nightly-arrange-${index}`,
      [ENV.podUID]: podUID,
      [ENV.nodeName]: 'node-1',
      [ENV.apiURL]: this.grants.url,
      [ENV.apiServerName]: 'localhost',
      [ENV.apiCA]: 'no certificate',
      [ENV.tokenFile]: token,
      [ENV.spec]: JSON.stringify(spec),
    };
  }

  /** Runs a worker to its end, in this process. */
  async run(
    copy: CopyStage,
    options: PodOptions & { terminate?: AbortSignal; patience?: number } = {},
  ): Promise<Ended> {
    const env = await this.environment(copy, options);
    const lines: Record<string, unknown>[] = [];
    const terminationLog = join(this.#folder, `termination-${env[ENV.podUID]}`);
    await writeFile(terminationLog, '');
    const code = await runCopyWorker({
      env,
      terminate: options.terminate ?? patientSignal,
      output: { write: (line) => void lines.push(JSON.parse(line)) },
      terminationLog,
      patience: options.patience ?? 5_000,
      segmentInterval: 200,
      scratch: { directory: this.#folder, limit: 1024 ** 3 },
      retry: { attempts: 4, baseDelay: 5, maxDelay: 50 },
    });
    const podUID = env[ENV.podUID] ?? '';
    return {
      code,
      manifest: await this.manifest(podUID, options.index),
      termination: await readFile(terminationLog, 'utf8'),
      lines,
    };
  }

  /** Starts a worker as a process of its own, to be killed. */
  async spawn(copy: CopyStage, options: PodOptions = {}): Promise<ChildProcess> {
    const { PATH, NODE_COMPILE_CACHE } = process.env;
    const env = { ...(await this.environment(copy, options)), PATH, NODE_COMPILE_CACHE };
    return spawn(process.execPath, [childProgram], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  }

  /** Every row that is in the ledger, whichever pod wrote it. */
  async ledgerRows(): Promise<LedgerRow[]> {
    const segments = (await this.resultKeys()).filter((key) => /\/ledger\/\d+\/.*-\d{6}\.zst$/.test(key));
    const rows: LedgerRow[] = [];
    for (const key of segments) {
      const whole = { bucket: this.results, key: this.grants.prefix + key };
      const frame = await getObject(this.client, whole, patientSignal);
      if (frame !== undefined) rows.push(...(await unpackLines(frame)).map(parseLedgerRow));
    }
    return rows;
  }

  /** An object of the run in the results bucket, by its key relative to the run. */
  async result(key: string): Promise<Buffer> {
    const whole = { bucket: this.results, key: this.grants.prefix + key };
    const body = await getObject(this.client, whole, patientSignal);
    if (body === undefined) throw new Error(`there is no ${key}`);
    return body;
  }

  /** worker.json of a pod, if it wrote one. */
  async manifest(podUID: string, index = 0): Promise<WorkerManifest | undefined> {
    const key = `${this.grants.prefix}arrange/${index}/${podUID}.0/worker.json`;
    const body = await getObject(this.client, { bucket: this.results, key }, patientSignal);
    return body === undefined ? undefined : workerManifest.parse(JSON.parse(body.toString('utf8')));
  }

  /** Keys of the run in the results bucket, relative to the run. */
  async resultKeys(): Promise<string[]> {
    const all = await listAll(this.client, this.results, this.grants.prefix);
    return all.map(({ key }) => key.slice(this.grants.prefix.length));
  }

  async stop(): Promise<void> {
    await this.grants.stop();
    await this.client.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
