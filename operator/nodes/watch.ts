/** Watches the Events of pods and Jobs that wait, for as long as they wait. */
import type { KubeClient } from '../kube/client.ts';
import { type Clock, systemClock } from '../kube/clock.ts';
import type { Logger } from '../kube/logger.ts';
import type { KubeMetrics } from '../kube/metrics.ts';
import { Reflector } from '../kube/reflector.ts';
import { events } from '../kube/resource.ts';
import { Store } from '../kube/store.ts';
import type { DeepReadonly, KubeEvent } from '../kube/types.ts';

/** What is watched for one stage that has no running pod. */
export interface PendingTarget {
  readonly namespace: string;
  readonly jobUID: string;
  /** One of the stage's pending pods; undefined while there is none. */
  readonly podUID?: string | undefined;
}

/** What others said about the pod and about the Job. */
export interface PendingEvents {
  readonly podEvents: readonly DeepReadonly<KubeEvent>[];
  readonly jobEvents: readonly DeepReadonly<KubeEvent>[];
}

export interface PendingWatcherOptions {
  client: KubeClient;
  /** Something new was said about the stage of this key. */
  onChange: (key: string) => void;
  /** How long a stage must be pending before it is watched, in milliseconds; 2,000 unless given. */
  afterMs?: number;
  /** Watches open at once; further ones wait their turn. 200 unless given. */
  maxWatches?: number;
  clock?: Clock;
  logger?: Logger;
  metrics?: KubeMetrics;
}

interface Watch {
  readonly key: string;
  readonly namespace: string;
  readonly uid: string;
  readonly store: Store<KubeEvent>;
  readonly abort: AbortController;
  cancelTimer: () => void;
}

interface Tracked {
  readonly pod?: Watch | undefined;
  readonly job: Watch;
}

const NOTHING: PendingEvents = { podEvents: [], jobEvents: [] };

/**
 * Listens to what the scheduler, the autoscaler, the kubelet and the Job controller say about stages that wait.
 * Events of other components carry no label of ours, so they are watched one object at a time, and only while a
 * stage is pending.
 */
export class PendingWatcher {
  readonly #options: Required<Pick<PendingWatcherOptions, 'afterMs' | 'maxWatches' | 'clock'>> &
    PendingWatcherOptions;
  readonly #tracked = new Map<string, Tracked>();
  readonly #open = new Set<Watch>();
  readonly #waiting = new Set<Watch>();
  #stopped = false;

  constructor(options: PendingWatcherOptions) {
    this.#options = {
      ...options,
      afterMs: options.afterMs ?? 2_000,
      maxWatches: options.maxWatches ?? 200,
      clock: options.clock ?? systemClock,
    };
  }

  /** Watches the target under this key. Again with the same target changes nothing; a new pod or Job is followed. */
  track(key: string, target: PendingTarget): void {
    if (this.#stopped) return;
    const before = this.#tracked.get(key);
    const job =
      before?.job.uid === target.jobUID ? before.job : this.#prepare(key, target.namespace, target.jobUID);
    let pod: Watch | undefined;
    if (target.podUID !== undefined)
      pod =
        before?.pod?.uid === target.podUID ? before.pod : this.#prepare(key, target.namespace, target.podUID);
    this.#tracked.set(key, { pod, job });
    if (before && before.job !== job) this.#close(before.job);
    if (before?.pod && before.pod !== pod) this.#close(before.pod);
  }

  /** Ends the watches of this key. */
  untrack(key: string): void {
    const tracked = this.#tracked.get(key);
    if (!tracked) return;
    this.#tracked.delete(key);
    this.#close(tracked.job);
    if (tracked.pod) this.#close(tracked.pod);
  }

  /** Tracks exactly these targets among all keys that start with the prefix. */
  sync(prefix: string, targets: ReadonlyMap<string, PendingTarget>): void {
    for (const key of this.#tracked.keys())
      if (key.startsWith(prefix) && !targets.has(key)) this.untrack(key);
    for (const [key, target] of targets) this.track(key, target);
  }

  /** What was said so far; nothing for an unknown key. */
  latest(key: string): PendingEvents {
    const tracked = this.#tracked.get(key);
    if (!tracked) return NOTHING;
    return { podEvents: tracked.pod?.store.list() ?? [], jobEvents: tracked.job.store.list() };
  }

  /** Ends everything; onChange is not called again. */
  stop(): void {
    this.#stopped = true;
    for (const key of this.#tracked.keys()) this.untrack(key);
  }

  #prepare(key: string, namespace: string, uid: string): Watch {
    const { clock, afterMs } = this.#options;
    const watch: Watch = {
      key,
      namespace,
      uid,
      store: new Store({ resource: events }),
      abort: new AbortController(),
      cancelTimer: () => undefined,
    };
    watch.cancelTimer = clock.after(afterMs, () => {
      this.#waiting.add(watch);
      this.#openNext();
    });
    return watch;
  }

  #openNext(): void {
    for (const watch of this.#waiting) {
      if (this.#open.size >= this.#options.maxWatches) return;
      this.#waiting.delete(watch);
      this.#open.add(watch);
      this.#run(watch);
    }
  }

  #run(watch: Watch): void {
    const { client, clock, logger, metrics } = this.#options;
    const tell = (): void => {
      if (!watch.abort.signal.aborted) this.#options.onChange(watch.key);
    };
    watch.store.addHandler({ added: tell, modified: tell });
    const reflector = new Reflector({
      client,
      resource: events,
      store: watch.store,
      namespace: watch.namespace,
      fieldSelector: `involvedObject.uid=${watch.uid}`,
      clock,
      // The server keeps no cache of events and so sends no bookmarks: silence is ordinary here.
      timing: { idleMs: 620_000 },
      ...(logger && { logger }),
      ...(metrics && { metrics }),
    });
    // A reflector never rejects; it ends when the watch is closed.
    void reflector.run(watch.abort.signal);
  }

  #close(watch: Watch): void {
    watch.cancelTimer();
    watch.abort.abort();
    this.#waiting.delete(watch);
    this.#open.delete(watch);
    this.#openNext();
  }
}
