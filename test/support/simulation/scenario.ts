/** One run in one world, through as many lives of the operator as it takes. */
import type { PipelineRun } from '../../../operator/api/types.ts';
import type { PipelineRunSpec } from '../../../operator/api/pipelinerun.ts';
import { API_VERSION, FINALIZER, KIND } from '../../../operator/api/names.ts';
import { FakeApi } from '../fakeapi/server.ts';
import { fieldsOf } from './fields.ts';
import { type Ending, type ScriptedPod, Simulation } from './kubernetes.ts';
import { Life, type LifeOptions, Records } from './operator.ts';

const NAMESPACE = 'data';
const RUNS = `/apis/ebbflow.dev/v1alpha1/namespaces/${NAMESPACE}/pipelineruns`;

/** Turns of at least 2 ms without a sign of life: longer than the deadline of a request. */
const SILENT_TURNS = 6_000;

export interface ScenarioOptions {
  spec: PipelineRunSpec;
  name?: string;
  script: (pod: ScriptedPod) => Ending;
  commitTimeoutSeconds?: number;
}

export class Scenario {
  readonly api = new FakeApi();
  readonly records = new Records();
  readonly simulation: Simulation;
  /** Statuses of the run that anybody could have seen, in order. */
  readonly seen: Record<string, unknown>[] = [];
  readonly #options: ScenarioOptions;
  readonly #path: string;
  #offsetMs = 0;

  constructor(options: ScenarioOptions) {
    this.#options = options;
    this.#path = `${RUNS}/${options.name ?? 'nightly'}`;
    this.simulation = new Simulation({
      world: this.api.world,
      namespace: NAMESPACE,
      now: () => this.now(),
      script: options.script,
    });
    this.api.world.onChange(() => {
      const status = fieldsOf(fieldsOf(this.api.world.get(this.#path))['status']);
      if (JSON.stringify(status) !== JSON.stringify(this.seen.at(-1)))
        this.seen.push(structuredClone(status));
    });
  }

  /** The loopback API server says that everything was created at the start of 2026. */
  now(): Date {
    return new Date(Date.parse('2026-01-01T00:00:00Z') + this.#offsetMs);
  }

  advance(seconds: number): void {
    this.#offsetMs += seconds * 1000;
  }

  async start(): Promise<void> {
    await this.api.start();
    this.api.world.put(`/api/v1/namespaces/${NAMESPACE}`, { metadata: { name: NAMESPACE } });
    this.apply(this.#options.name ?? 'nightly');
  }

  /** Another run of the same spec. */
  apply(name: string): void {
    const object = {
      apiVersion: API_VERSION,
      kind: KIND,
      metadata: { name, namespace: NAMESPACE, generation: 1 },
      spec: this.#options.spec,
    };
    this.api.world.put(`${RUNS}/${name}`, object);
  }

  live(killAfter?: number): Life {
    const { commitTimeoutSeconds } = this.#options;
    const options: LifeOptions = { api: this.api, records: this.records, now: () => this.now() };
    return new Life({
      ...options,
      ...(killAfter === undefined ? {} : { killAfter }),
      ...(commitTimeoutSeconds === undefined ? {} : { commitTimeoutSeconds }),
    });
  }

  /** Changes the run as a user would. */
  edit(change: (run: Record<string, unknown>) => Record<string, unknown>): void {
    const old = this.api.world.get(this.#path);
    if (old) this.api.world.put(this.#path, { ...old, ...change(fieldsOf(old)) });
  }

  /** Sets fields of the spec, as kubectl patch does. */
  patchSpec(fields: Record<string, unknown>): void {
    this.edit((run) => ({ spec: { ...fieldsOf(run['spec']), ...fields } }));
  }

  /** What kubectl delete does: the object stays until its finalizers are gone. */
  delete(): void {
    this.edit((run) => ({
      metadata: { ...fieldsOf(run['metadata']), deletionTimestamp: this.now().toISOString() },
    }));
    this.#collect();
  }

  get exists(): boolean {
    return this.api.world.get(this.#path) !== undefined;
  }

  #collect(): void {
    const run = this.api.world.get(this.#path);
    if (run?.metadata.deletionTimestamp !== undefined && (run.metadata.finalizers ?? []).length === 0)
      this.api.world.delete(this.#path);
  }

  get status(): NonNullable<PipelineRun['status']> {
    const status: NonNullable<PipelineRun['status']> = fieldsOf(
      fieldsOf(this.api.world.get(this.#path))['status'],
    );
    return status;
  }

  /** Terminal, everything deleted, finalizer off; or the object itself is gone. */
  get isOver(): boolean {
    const run = this.api.world.get(this.#path);
    if (!run) return true;
    const deleted =
      this.status.conditions?.some(({ type, status }) => type === 'ResourcesDeleted' && status === 'True') ===
      true;
    return deleted && run.metadata.finalizers?.includes(FINALIZER) !== true;
  }

  get left(): string[] {
    const kinds = [`/apis/batch/v1/namespaces/${NAMESPACE}/jobs`, `/api/v1/namespaces/${NAMESPACE}/pods`];
    return kinds.flatMap((path) => this.api.world.list(path).map((object) => object.metadata.name ?? ''));
  }

  /**
   * Lets the world turn until `done` or until the operator was killed. Throws when the operator has asked for nothing
   * and changed nothing for too many turns: a slow machine makes it late, not silent.
   */
  async turn(life: Life, done: () => boolean = () => this.isOver): Promise<void> {
    let last = '';
    for (let silent = 0; silent < SILENT_TURNS; silent += 1) {
      if (done() || life.kill.signal.aborted) return;
      const now = `${this.api.requests.length} ${this.api.world.version}`;
      if (now !== last) silent = 0;
      last = now;
      this.simulation.step();
      this.#collect();
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const found = { status: this.status, left: this.left, requests: this.api.requests.length };
    throw new Error(
      `the world turned ${SILENT_TURNS} times and the operator did nothing: ${JSON.stringify(found)}\n${life.lines.join('')}`,
    );
  }

  async stop(): Promise<void> {
    await this.api.stop();
  }
}
