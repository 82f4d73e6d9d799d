import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ENV, type WorkerSpec, type WorkerStore } from '../../workers/contract/environment.ts';
import { workerManifest, type WorkerManifest } from '../../workers/contract/manifests.ts';
import type { HostTimes, TrainHost } from '../../workers/train/host.ts';
import { WorkerApiDouble } from './workerapi-double.ts';

export interface TrainBedOptions {
  readonly inputs?: WorkerSpec['inputs'];
  readonly outputs?: WorkerSpec['outputs'];
}

/** One pod of a container stage without a pod: its directories, its environment, and the operator's stand-in. */
export class TrainBed {
  readonly folder: string;
  readonly double: WorkerApiDouble;
  readonly podUID: string = randomUUID();
  readonly lines: Record<string, unknown>[] = [];
  readonly #store: WorkerStore | undefined;
  readonly #shim: string;
  readonly #children: ChildProcess[] = [];
  readonly #kill = new AbortController();

  private constructor(folder: string, double: WorkerApiDouble, store: WorkerStore | undefined, shim: string) {
    this.folder = folder;
    this.double = double;
    this.#store = store;
    this.#shim = shim;
  }

  /** `store`: an endpoint with its keys, known to the pod as `lake`. */
  static async create(
    shim: string,
    store?: { endpoint: string; accessKeyId: string; secretAccessKey: string },
  ): Promise<TrainBed> {
    const folder = await mkdtemp(join(tmpdir(), 'ebbflow-train-'));
    for (const name of ['bin', 'run', 'in', 'out', 'secret']) await mkdir(join(folder, name));
    await writeFile(join(folder, 'secret/token'), 'token');
    if (store === undefined) return new TrainBed(folder, await WorkerApiDouble.start(), undefined, shim);
    await writeFile(join(folder, 'secret/AWS_ACCESS_KEY_ID'), store.accessKeyId);
    await writeFile(join(folder, 'secret/AWS_SECRET_ACCESS_KEY'), store.secretAccessKey);
    const lake: WorkerStore = {
      name: 'lake',
      endpoint: store.endpoint,
      region: 'us-east-1',
      addressing: 'Path',
      credentials: join(folder, 'secret'),
    };
    return new TrainBed(folder, await WorkerApiDouble.start(), lake, shim);
  }

  /** SIGTERM to our own container. */
  terminate(): void {
    this.#kill.abort(new Error('ended by SIGTERM'));
  }

  host(options: TrainBedOptions, times: Partial<HostTimes> = {}): TrainHost {
    const spec: WorkerSpec = {
      kind: 'container',
      workers: 1,
      stores: this.#store === undefined ? [] : [this.#store],
      inputs: options.inputs,
      outputs: options.outputs,
    };
    const env = {
      [ENV.run]: 'nightly',
      [ENV.runUID]: randomUUID(),
      [ENV.namespace]: 'default',
      [ENV.stage]: 'train',
      [ENV.attempt]: '1',
      [ENV.index]: '0',
      [ENV.podName]: 'nightly-train-0',
      [ENV.podUID]: this.podUID,
      [ENV.nodeName]: 'node-1',
      [ENV.apiURL]: this.double.url,
      [ENV.apiServerName]: 'localhost',
      [ENV.apiCA]: 'none: http',
      [ENV.tokenFile]: join(this.folder, 'secret/token'),
      [ENV.spec]: JSON.stringify(spec),
    };
    return {
      env,
      terminate: this.#kill.signal,
      output: { write: (line) => void this.lines.push(JSON.parse(line)) },
      paths: {
        shimSource: this.#shim,
        shim: join(this.folder, 'bin/shim'),
        socket: join(this.folder, 'run/agent.sock'),
        exitRecord: join(this.folder, 'run/exit.json'),
        terminationLog: join(this.folder, 'termination'),
      },
      times: { store: 4_000, lastWord: 4_000, commit: 10_000, report: 1_000, lostShim: 300, ...times },
    };
  }

  /** Starts a command under the shim, as the main container does. */
  start(script: string): ChildProcess {
    const socket = join(this.folder, 'run/agent.sock');
    const record = join(this.folder, 'run/exit.json');
    const args = ['-socket', socket, '-record', record, '--', 'sh', '-c', script];
    const child = spawn(this.#shim, args, { cwd: this.folder, stdio: 'ignore' });
    this.#children.push(child);
    return child;
  }

  get manifest(): WorkerManifest | undefined {
    return workerManifest.optional().parse(this.double.ending('/worker.json'));
  }

  async termination(): Promise<unknown> {
    const text = await readFile(join(this.folder, 'termination'), 'utf8').catch(() => 'null');
    return JSON.parse(text);
  }

  async stop(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    await this.double.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
