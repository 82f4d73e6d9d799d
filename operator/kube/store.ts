/** The store: the cached objects of one resource type, their indexes, and who is told about changes. */
import { type Key, keyOf } from './key.ts';
import { type Logger, silentLogger } from './logger.ts';
import { type KubeMetrics, noMetrics } from './metrics.ts';
import { compareResourceVersions } from './resource-version.ts';
import { type Resource, resourceName } from './resource.ts';
import { StoreIndex, type IndexFunction } from './store-index.ts';
import type { DeepReadonly, KubeObject } from './types.ts';

/** Told about every change of a store, in the order of the changes. What it throws is logged and goes no further. */
export interface StoreHandler<T extends KubeObject> {
  added?(object: DeepReadonly<T>): void;
  modified?(object: DeepReadonly<T>, previous: DeepReadonly<T>): void;
  /** The last state known; the real last one may never have been seen. */
  deleted?(object: DeepReadonly<T>): void;
}

export interface StoreOptions<T extends KubeObject> {
  resource: Resource<T>;
  /** Further indexes by name; the one by owner UID is always there (`byOwner`). */
  indexes?: Readonly<Record<string, IndexFunction<T>>>;
  logger?: Logger;
  metrics?: KubeMetrics;
}

/** A local copy of one resource type, filled by a Reflector. Readers share its objects: never change them. */
export class Store<T extends KubeObject> {
  readonly resource: Resource<T>;
  /** Resolves once the first complete list is in. */
  readonly synced: Promise<void>;
  readonly #objects = new Map<Key, DeepReadonly<T>>();
  readonly #owners = new StoreIndex<T>((object) =>
    (object.metadata.ownerReferences ?? []).map((owner) => owner.uid),
  );
  readonly #indexes: ReadonlyMap<string, StoreIndex<T>>;
  readonly #handlers = new Set<StoreHandler<T>>();
  readonly #advanceListeners = new Set<() => void>();
  readonly #logger: Logger;
  readonly #metrics: KubeMetrics;
  readonly #resolveSynced: () => void;
  #lastResourceVersion: string | undefined;
  #epoch = 0;

  constructor(options: StoreOptions<T>) {
    this.resource = options.resource;
    this.#logger = (options.logger ?? silentLogger).child({ resource: resourceName(options.resource) });
    this.#metrics = options.metrics ?? noMetrics;
    this.#indexes = new Map(
      Object.entries(options.indexes ?? {}).map(([name, index]) => [name, new StoreIndex<T>(index)]),
    );
    const { promise, resolve } = Promise.withResolvers<void>();
    this.synced = promise;
    this.#resolveSynced = resolve;
  }

  get hasSynced(): boolean {
    return this.#lastResourceVersion !== undefined;
  }

  /** The newest resource version the store reflects; undefined before the first list. */
  get lastResourceVersion(): string | undefined {
    return this.#lastResourceVersion;
  }

  /** Grows whenever the server's resource versions went back (a restored backup): older ones mean nothing then. */
  get epoch(): number {
    return this.#epoch;
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: Key): DeepReadonly<T> | undefined {
    return this.#objects.get(key);
  }

  list(): DeepReadonly<T>[] {
    return [...this.#objects.values()];
  }

  keys(): Key[] {
    return [...this.#objects.keys()];
  }

  /** Objects that have an ownerReference to this UID. */
  byOwner(uid: string): DeepReadonly<T>[] {
    return this.#owners.find(uid);
  }

  /** Objects under `value` in one of the named indexes; an unknown index throws TypeError. */
  byIndex(index: string, value: string): DeepReadonly<T>[] {
    const found = this.#indexes.get(index);
    if (found === undefined) throw new TypeError(`the store has no index ${index}`);
    return found.find(value);
  }

  /** Replays what is there as `added`, then follows. The returned function ends it. */
  addHandler(handler: StoreHandler<T>): () => void {
    for (const object of this.#objects.values()) this.#tell(handler, 'added', object);
    this.#handlers.add(handler);
    return () => void this.#handlers.delete(handler);
  }

  /** Called whenever lastResourceVersion moved, after the handlers. The returned function ends it. */
  onAdvance(listener: () => void): () => void {
    this.#advanceListeners.add(listener);
    return () => void this.#advanceListeners.delete(listener);
  }

  /** For the reflector: a complete list; changes are told as a difference. */
  replace(items: readonly T[], resourceVersion: string): void {
    const last = this.#lastResourceVersion;
    if (last !== undefined && (compareResourceVersions(resourceVersion, last) ?? 0) < 0) this.#epoch += 1;
    const gone = new Set(this.#objects.keys());
    for (const item of items) gone.delete(keyOf(item));
    for (const key of gone) this.#drop(key);
    for (const item of items) this.#put(item);
    this.#advance(resourceVersion);
    this.#resolveSynced();
  }

  /** For the reflector: one object is new or changed. A state that was already told is passed over. */
  upsert(object: T): void {
    const known = this.#objects.get(keyOf(object));
    const version = object.metadata.resourceVersion;
    const newest = known === undefined ? this.#lastResourceVersion : known.metadata.resourceVersion;
    if (isNotNewer(version, newest)) return;
    this.#put(object);
    if (version !== undefined) this.#advance(version);
  }

  /** For the reflector: one object is gone; `object` is its last state. */
  remove(object: T): void {
    const key = keyOf(object);
    const known = this.#objects.get(key);
    const version = object.metadata.resourceVersion;
    if (known !== undefined && !isOlder(version, known.metadata.resourceVersion)) this.#drop(key);
    if (version !== undefined && !isNotNewer(version, this.#lastResourceVersion)) this.#advance(version);
  }

  /** For the reflector: nothing changed up to here. */
  bookmark(resourceVersion: string): void {
    if (!isNotNewer(resourceVersion, this.#lastResourceVersion)) this.#advance(resourceVersion);
  }

  #put(item: T): void {
    const key = keyOf(item);
    // The one place where an object passes from its writer to its readers: from here on nobody changes it.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- dropping the right to write is always safe
    const object = item as DeepReadonly<T>;
    const previous = this.#objects.get(key);
    if (previous !== undefined && previous.metadata.uid !== object.metadata.uid) {
      this.#drop(key);
      this.#put(item);
      return;
    }
    if (
      previous?.metadata.resourceVersion !== undefined &&
      previous.metadata.resourceVersion === object.metadata.resourceVersion
    ) {
      return;
    }
    this.#objects.set(key, object);
    for (const index of this.#allIndexes()) index.set(object, previous);
    for (const handler of this.#handlers) {
      if (previous === undefined) this.#tell(handler, 'added', object);
      else this.#tell(handler, 'modified', object, previous);
    }
  }

  #drop(key: Key): void {
    const object = this.#objects.get(key);
    if (object === undefined) return;
    this.#objects.delete(key);
    for (const index of this.#allIndexes()) index.delete(object);
    for (const handler of this.#handlers) this.#tell(handler, 'deleted', object);
  }

  #advance(resourceVersion: string): void {
    this.#lastResourceVersion = resourceVersion;
    this.#metrics.storeResourceVersion(resourceName(this.resource), resourceVersion);
    for (const listener of this.#advanceListeners) {
      try {
        listener();
      } catch (error) {
        this.#logger.error({ err: error }, 'a listener of the store threw');
      }
    }
  }

  #allIndexes(): StoreIndex<T>[] {
    return [this.#owners, ...this.#indexes.values()];
  }

  #tell(
    handler: StoreHandler<T>,
    change: 'added' | 'modified' | 'deleted',
    object: DeepReadonly<T>,
    previous: DeepReadonly<T> = object,
  ): void {
    try {
      if (change === 'modified') handler.modified?.(object, previous);
      else handler[change]?.(object);
    } catch (error) {
      this.#logger.error({ err: error, change }, 'a handler of the store threw');
    }
  }
}

/** Whether `version` is known to be `newest` or older: then its news was already told. */
function isNotNewer(version: string | undefined, newest: string | undefined): boolean {
  if (version === undefined || newest === undefined) return false;
  const order = compareResourceVersions(version, newest);
  return order !== undefined && order <= 0;
}

function isOlder(version: string | undefined, known: string | undefined): boolean {
  return version !== known && isNotNewer(version, known);
}
