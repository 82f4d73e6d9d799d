/** The consistency gate: a key is not reconciled from a cache that is older than our own last write for it. */
import { type Clock, systemClock } from './clock.ts';
import type { Key } from './key.ts';
import { compareResourceVersions } from './resource-version.ts';
import { type Resource, resourceName } from './resource.ts';
import type { KubeObject } from './types.ts';

/** What the gate needs of a Store. */
export interface AdvancingStore {
  readonly resource: Resource;
  readonly lastResourceVersion: string | undefined;
  readonly epoch: number;
  onAdvance(listener: () => void): () => void;
}

export interface ConsistencyGateOptions {
  /** One per resource type that is written. Writes to other resources are not waited for. */
  stores: readonly AdvancingStore[];
  /** Called with a key that `ready` refused, once its stores have caught up (or after 100 ms, to look again). */
  requeue: (key: Key) => void;
  clock?: Clock;
}

interface Write {
  resourceVersion: string;
  epoch: number;
}

/** The net below the notifications of the stores. Fixed, not growing: a stale store is nobody's error. */
const lookAgainMs = 100;

/**
 * Read your own writes: after a write, a key is not worked on before the stores have seen it. Needs resource
 * versions of one type to compare as integers, which all released API servers do (a promise since Kubernetes 1.35).
 * Tell it only of objects that the store's selector lets through, before or after the write: a server sends no bookmark
 * for a change that a watch skipped while it was starting, so a store may never learn of the others.
 */
export class ConsistencyGate {
  readonly #stores: ReadonlyMap<string, AdvancingStore>;
  readonly #requeue: (key: Key) => void;
  readonly #clock: Clock;
  readonly #writes = new Map<Key, Map<string, Write>>();
  /** Keys that were refused, with the timer of the net. */
  readonly #waiting = new Map<Key, () => void>();
  readonly #unsubscribe: readonly (() => void)[];

  constructor(options: ConsistencyGateOptions) {
    this.#stores = new Map(options.stores.map((store) => [resourceName(store.resource), store]));
    this.#requeue = options.requeue;
    this.#clock = options.clock ?? systemClock;
    this.#unsubscribe = options.stores.map((store) => store.onAdvance(() => this.#release()));
  }

  /** Call after each write with the resourceVersion of its answer. */
  wroteAt<T extends KubeObject>(key: Key, resource: Resource<T>, resourceVersion: string | undefined): void {
    const name = resourceName(resource);
    const store = this.#stores.get(name);
    if (store === undefined || resourceVersion === undefined) return;
    const writes = this.#writes.get(key) ?? new Map<string, Write>();
    const earlier = writes.get(name);
    if (
      earlier !== undefined &&
      earlier.epoch === store.epoch &&
      (compareResourceVersions(earlier.resourceVersion, resourceVersion) ?? -1) >= 0
    ) {
      return;
    }
    writes.set(name, { resourceVersion, epoch: store.epoch });
    this.#writes.set(key, writes);
  }

  /** Whether the stores reflect all writes for the key. If not, `requeue(key)` follows. */
  ready(key: Key): boolean {
    if (this.#isCaughtUp(key)) {
      this.clear(key);
      return true;
    }
    this.#waiting.get(key)?.();
    this.#waiting.set(
      key,
      this.#clock.after(lookAgainMs, () => {
        this.#waiting.delete(key);
        this.#requeue(key);
      }),
    );
    return false;
  }

  /** Forgets a key, when its object is gone. */
  clear(key: Key): void {
    this.#writes.delete(key);
    this.#waiting.get(key)?.();
    this.#waiting.delete(key);
  }

  /** Ends timers and subscriptions. */
  close(): void {
    for (const end of this.#unsubscribe) end();
    for (const cancel of this.#waiting.values()) cancel();
    this.#waiting.clear();
    this.#writes.clear();
  }

  #release(): void {
    for (const key of this.#waiting.keys()) {
      if (!this.#isCaughtUp(key)) continue;
      this.clear(key);
      this.#requeue(key);
    }
  }

  #isCaughtUp(key: Key): boolean {
    for (const [name, write] of this.#writes.get(key) ?? []) {
      const store = this.#stores.get(name);
      // After the server's versions went back, an older version can never be reached again and says nothing.
      if (store === undefined || store.epoch !== write.epoch) continue;
      const seen = store.lastResourceVersion;
      if (seen === undefined) return false;
      const order = compareResourceVersions(seen, write.resourceVersion);
      // Without an order there is nothing to wait for: only equality could ever tell, and it may be passed over.
      if (order !== undefined && order < 0) return false;
    }
    return true;
  }
}
