/** One life of the operator against the loopback API server: it can be killed after any of its effects. */
import { systemClock, type Clock } from '../../../operator/kube/clock.ts';
import type { KubeClient } from '../../../operator/kube/client.ts';
import { createKubeClient } from '../../../operator/kube/http-client.ts';
import { noMetrics } from '../../../operator/kube/metrics.ts';
import { RunController } from '../../../operator/pipelinerun/controller.ts';
import type { AttemptRef, CommitInput, CommitResult, Results } from '../../../operator/results/types.ts';
import { createLogger } from '../../../operator/telemetry/log.ts';
import { createMetrics } from '../../../operator/telemetry/registry.ts';
import { enableLinearExpressions } from '../../../workers/copy/linear.ts';
import type { RunRecord, WorkerManifest } from '../../../workers/contract/manifests.ts';
import type { FakeApi } from '../fakeapi/server.ts';

/** What survives every operator: the records in the results store. */
export class Records {
  readonly byUID = new Map<string, RunRecord>();
  /** While true, the store refuses. */
  refusing = false;
  /** While true, the store does not say which records it has. */
  mute = false;
  /** How often the store was asked for a record. */
  asked = 0;
  /** While true, the store does not answer until it is given up; then it works again. */
  hanging = false;
  /** How often the store was left without an answer. */
  hangs = 0;
  /** Names of runs whose record takes until the operator gives it up. */
  readonly slow = new Set<string>();
  /** Commits that are going on, by the UID of their run, and whether a run ever had two. */
  readonly committing = new Set<string>();
  overlapped = false;
  /** What workers left in the store. */
  lastWord: (attempt: AttemptRef) => WorkerManifest | undefined = () => undefined;
  /** Workers that stored plans have shards for, by stage. */
  readonly plans = new Map<string, number>();
  /** Commits that said something else than the record that was there: must stay empty. */
  readonly contradictions: string[] = [];

  commit({ run, discrepancies, nodes }: CommitInput): CommitResult {
    if (this.refusing) throw new Error('the store says 503');
    const { uid, name, namespace } = run.metadata;
    const { outcome, startTime = '', stages = [] } = run.status ?? {};
    if (!outcome) throw new Error('a commit without an outcome');
    const record: RunRecord = {
      version: 1,
      cluster: 'test',
      run: { uid, name, namespace, pipeline: run.spec.pipeline ?? name },
      spec: run.spec,
      startTime,
      outcome: { ...outcome },
      stages: stages.map((stage) => ({
        name: stage.name,
        kind: 'container',
        state: stage.state,
        attempts: [],
      })),
      nodes,
      discrepancies: [...discrepancies],
    };
    const before = this.byUID.get(uid);
    if (before && JSON.stringify(before.outcome) !== JSON.stringify(record.outcome))
      this.contradictions.push(`${name}: ${record.outcome.result}`);
    this.byUID.set(uid, before ?? record);
    return { logsComplete: true, location: `s3://results/${uid}/`, record: before ?? record };
  }
}

/** Effects of an operator, counted at the client; after the last allowed one nothing gets out any more. */
export class Kill {
  effects = 0;
  readonly #after: number;
  readonly #abort = new AbortController();

  constructor(after: number) {
    this.#after = after;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Before an effect: a dead process has none. */
  check(): void {
    if (this.#abort.signal.aborted) throw new Error('killed');
  }

  /** After an effect: the process may die right here, before it learns that it worked. */
  count(): void {
    this.effects += 1;
    if (this.effects < this.#after) return;
    this.#abort.abort();
    throw new Error('killed');
  }
}

function killable(client: KubeClient, kill: Kill): KubeClient {
  const effect = async <T>(call: () => Promise<T>): Promise<T> => {
    kill.check();
    const answer = await call();
    kill.count();
    return answer;
  };
  return {
    get: (...call) => client.get(...call),
    list: (...call) => client.list(...call),
    watch: (...call) => client.watch(...call),
    podLog: (...call) => client.podLog(...call),
    tokenReview: (...call) => client.tokenReview(...call),
    raw: (...call) => client.raw(...call),
    close: () => client.close(),
    create: (...call) => effect(() => client.create(...call)),
    update: (...call) => effect(() => client.update(...call)),
    delete: (...call) => effect(() => client.delete(...call)),
    mergePatch: (...call) => effect(() => client.mergePatch(...call)),
    apply: (...call) => effect(() => client.apply(...call)),
    applyStatus: (...call) => effect(() => client.applyStatus(...call)),
  };
}

export interface LifeOptions {
  api: FakeApi;
  records: Records;
  now: () => Date;
  /** Dies after this many effects; never unless given. */
  killAfter?: number;
  commitTimeoutSeconds?: number;
}

/** Rejects when the signal aborts. */
function givenUp(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(new Error('given up'));
    else signal.addEventListener('abort', () => reject(new Error('given up')), { once: true });
  });
}

/** A running operator. */
export class Life {
  readonly kill: Kill;
  readonly controller: RunController;
  readonly events: string[] = [];
  /** The last lines of its log, for when something went wrong. */
  readonly lines: string[] = [];
  readonly #stop = new AbortController();
  readonly #client: KubeClient;
  readonly #done: Promise<void>;

  constructor({ api, records, now, killAfter = Infinity, commitTimeoutSeconds = 3600 }: LifeOptions) {
    enableLinearExpressions();
    this.kill = new Kill(killAfter);
    const clock: Clock = { ...systemClock, now };
    this.#client = createKubeClient({ access: api.access, userAgent: 'test/0' });
    const kill = this.kill;
    const results: Results = {
      logs: {
        observe: () => undefined,
        observeGone: () => undefined,
        settled: () => true,
        stop: async () => undefined,
      },
      commit: async (input, signal) => {
        kill.check();
        const { uid, name } = input.run.metadata;
        if (records.committing.has(uid)) records.overlapped = true;
        records.committing.add(uid);
        try {
          if (records.hanging) {
            records.hangs += 1;
            await givenUp(signal).finally(() => (records.hanging = false));
          }
          if (records.slow.has(name)) await givenUp(signal);
          const result = records.commit(input);
          kill.count();
          return result;
        } finally {
          records.committing.delete(uid);
        }
      },
      findRecord: async ({ uid }) => {
        records.asked += 1;
        if (records.mute) throw new Error('the store says 503');
        return records.byUID.get(uid);
      },
      findManifest: async (attempt) => records.lastWord(attempt),
      findManifests: async () => [],
      findPlan: async (_run, stage) => {
        const workers = records.plans.get(stage);
        return workers === undefined ? undefined : { workers };
      },
      writeNodes: async () => undefined,
      start: async () => undefined,
      stop: async () => undefined,
    };
    this.controller = new RunController({
      client: killable(this.#client, kill),
      clock,
      log: createLogger({ level: 'debug', stream: { write: (line) => this.#keep(line) } }),
      recorder: { record: (event) => void this.events.push(`${event.type} ${event.reason}: ${event.note}`) },
      results,
      podSettings: {
        image: 'ebbflow:test',
        apiURL: 'https://10.0.0.1:8443',
        apiServerName: 'ebbflow',
        apiCA: 'PEM',
        copyWorkerShare: 4_000,
      },
      metrics: {
        kube: noMetrics,
        runs: createMetrics({ version: '0', node: '26', processMetrics: false }).runs,
      },
      commitTimeoutSeconds,
      nodeLostSeconds: 60,
      concurrency: 4,
    });
    const signal = AbortSignal.any([this.#stop.signal, kill.signal]);
    this.#done = this.controller.run(signal);
  }

  #keep(line: string): void {
    this.lines.push(line);
    if (this.lines.length > 20) this.lines.shift();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
    await this.#client.close();
  }
}
