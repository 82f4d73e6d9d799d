/**
 * What workers have told this process: manifests, plans, progress, and which pods it has given up. Kept in memory only,
 * because everything in it is found again: manifests and plans in the store, progress with the next call, lost pods from
 * nodes.
 */
import type { Clock } from '../kube/clock.ts';
import type { ProgressRequest } from '../../workers/contract/workerapi.ts';
import type { RunRecord, WorkerManifest } from '../../workers/contract/manifests.ts';
import type { Breaker } from './breaker.ts';
import { type Progress, type ProgressWord, sumProgress } from './progress.ts';

/** The worker that a fact is about. */
export interface FactSource {
  namespace: string;
  runUID: string;
  run: string;
  stage: string;
  index: number;
  podUID: string;
}

interface Look {
  /** Since when it is wanted, in milliseconds since the epoch. */
  readonly since: number;
  /** When it was last looked for, in monotonic milliseconds. */
  at: number;
  /** Whether the store has ever answered. */
  answered: boolean;
}

interface RunFacts {
  reports: Map<string, WorkerManifest>;
  /** By stage, then by worker index: the newest pod of an index speaks for it. */
  progress: Map<string, Map<number, { said: ProgressRequest; at: number }>>;
  fenced: Set<string>;
  /** Workers that the plan of a copy has shards for, by stage. */
  planned: Map<string, number>;
  /** What the store is asked for, by name. */
  looked: Map<string, Look>;
  /** UIDs of copy Jobs that are over and whose workers were all heard. */
  heard: Set<string>;
  /** What was stored of the run before its object came back. */
  record?: RunRecord;
  /** When the last report came, in monotonic milliseconds, until somebody asked. */
  reportedAt?: number;
}

/** Between two looks at the store for one thing, in milliseconds. */
const LOOK_MS = 10_000;

export class WorkerFacts {
  readonly #runs = new Map<string, RunFacts>();
  readonly #clock: Clock;
  readonly #changed: (key: string) => void;

  /** `changed` is called with the key of a run about which there is something new. */
  constructor(clock: Clock, changed: (key: string) => void) {
    this.#clock = clock;
    this.#changed = changed;
  }

  reported(source: FactSource, manifest: WorkerManifest): void {
    const facts = this.#of(source.runUID);
    facts.reports.set(source.podUID, manifest);
    facts.reportedAt = this.#clock.monotonicMs();
    this.#changed(`${source.namespace}/${source.run}`);
  }

  /** A manifest that nobody reported, read in the store. */
  found(runUID: string, manifest: WorkerManifest): void {
    this.#of(runUID).reports.set(manifest.podUID, manifest);
  }

  /** The plan of a stage is in the store; it never changes again. */
  planned({ namespace, run, runUID, stage }: Omit<FactSource, 'index' | 'podUID'>, workers: number): void {
    const { planned } = this.#of(runUID);
    if (planned.get(stage) === workers) return;
    planned.set(stage, workers);
    this.#changed(`${namespace}/${run}`);
  }

  /** Workers that the plans of copy stages have shards for, by stage; only where there is a plan. */
  plans(runUID: string): ReadonlyMap<string, number> {
    return this.#runs.get(runUID)?.planned ?? NO_PLANS;
  }

  progressed(source: FactSource, progress: ProgressRequest): void {
    const stages = this.#of(source.runUID).progress;
    const workers = stages.get(source.stage) ?? new Map<number, { said: ProgressRequest; at: number }>();
    workers.set(source.index, { said: progress, at: this.#clock.monotonicMs() });
    stages.set(source.stage, workers);
    this.#changed(`${source.namespace}/${source.run}`);
  }

  /** Every worker of the Job that has left a last word has been heard. */
  allHeard(runUID: string, jobUID: string): void {
    this.#of(runUID).heard.add(jobUID);
  }

  /** UIDs of the copy Jobs whose workers' last words have all been looked for. */
  heard(runUID: string): ReadonlySet<string> {
    return this.#runs.get(runUID)?.heard ?? NOBODY;
  }

  /**
   * Whether it is time to look for something of the run in the store: what is not there is not asked for all the time, and
   * what can not come any more (`once`) only until there is one answer. A `breaker` is asked last, and what it forbids
   * is not a look.
   */
  mayLook(
    runUID: string,
    what: string,
    {
      once = false,
      everyMs = LOOK_MS,
      breaker,
    }: { once?: boolean; everyMs?: number; breaker?: Breaker } = {},
  ): boolean {
    const look = this.#lookFor(runUID, what);
    const now = this.#clock.monotonicMs();
    if (now - look.at < everyMs || (once && look.answered)) return false;
    if (breaker?.mayTry() === false) return false;
    look.at = now;
    return true;
  }

  /** The store has answered, if only that it has nothing. */
  answered(runUID: string, what: string): void {
    this.#lookFor(runUID, what).answered = true;
  }

  /** Since when an answer of the store is wanted, in milliseconds since the epoch; undefined once there is one. */
  wantedSince(runUID: string, what: string): number | undefined {
    const { since, answered } = this.#lookFor(runUID, what);
    return answered ? undefined : since;
  }

  #lookFor(runUID: string, what: string): Look {
    const { looked } = this.#of(runUID);
    const look = looked.get(what) ?? { since: this.#clock.now().getTime(), at: -Infinity, answered: false };
    looked.set(what, look);
    return look;
  }

  /** The run has ended before, although its status does not say so. */
  hasEnded(runUID: string, record: RunRecord): void {
    this.#of(runUID).record = record;
  }

  record(runUID: string): RunRecord | undefined {
    return this.#runs.get(runUID)?.record;
  }

  /** From now on the pod gets nothing from the worker API any more. */
  fence(runUID: string, podUID: string): void {
    this.#of(runUID).fenced.add(podUID);
  }

  isFenced(podUID: string): boolean {
    return [...this.#runs.values()].some((facts) => facts.fenced.has(podUID));
  }

  reports(runUID: string): ReadonlyMap<string, WorkerManifest> {
    return this.#runs.get(runUID)?.reports ?? NONE;
  }

  /** Seconds since the last report of the run; only once per report. */
  takeReportAge(runUID: string): number | undefined {
    const facts = this.#runs.get(runUID);
    if (facts?.reportedAt === undefined) return undefined;
    const age = (this.#clock.monotonicMs() - facts.reportedAt) / 1000;
    delete facts.reportedAt;
    return age;
  }

  /** Summed over the workers of each stage. */
  progress(runUID: string): ReadonlyMap<string, Progress> {
    const stages = [...(this.#runs.get(runUID)?.progress ?? [])];
    const now = this.#clock.monotonicMs();
    return new Map(
      stages.map(([stage, workers]) => {
        const words = [...workers.values()].map(({ said, at }): ProgressWord => ({ said, age: now - at }));
        return [stage, sumProgress(words)];
      }),
    );
  }

  /** Forgets a run that is gone. */
  forget(runUID: string): void {
    this.#runs.delete(runUID);
  }

  #of(runUID: string): RunFacts {
    const facts = this.#runs.get(runUID) ?? {
      reports: new Map(),
      progress: new Map(),
      fenced: new Set(),
      planned: new Map(),
      looked: new Map(),
      heard: new Set(),
    };
    this.#runs.set(runUID, facts);
    return facts;
  }
}

const NONE: ReadonlyMap<string, WorkerManifest> = new Map();
const NOBODY: ReadonlySet<string> = new Set();
const NO_PLANS: ReadonlyMap<string, number> = new Map();
