import type { Logger } from './logger.ts';
import type { KubeMetrics } from './metrics.ts';
import type { Resource } from './resource.ts';
import type { Key } from './key.ts';
import type { DeepReadonly, KubeObject } from './types.ts';

/** Told about every change of a store, in the order of the changes. What it throws is logged and goes no further. */
export interface StoreHandler<T extends KubeObject> {
  added?(object: DeepReadonly<T>): void;
  modified?(object: DeepReadonly<T>, previous: DeepReadonly<T>): void;
  /** The last state known; the real last one may never have been seen. */
  deleted?(object: DeepReadonly<T>): void;
}

/** The values an object is found under in one index. */
export type IndexFunction<T extends KubeObject> = (object: DeepReadonly<T>) => readonly string[];

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

  constructor(options: StoreOptions<T>) {
    this.resource = options.resource;
    this.synced = Promise.resolve();
    throw new Error('not written yet');
  }

  get hasSynced(): boolean {
    throw new Error('not written yet');
  }
  /** The newest resource version the store reflects; undefined before the first list. */
  get lastResourceVersion(): string | undefined {
    throw new Error('not written yet');
  }
  get size(): number {
    throw new Error('not written yet');
  }
  get(_key: Key): DeepReadonly<T> | undefined {
    throw new Error('not written yet');
  }
  list(): DeepReadonly<T>[] {
    throw new Error('not written yet');
  }
  keys(): Key[] {
    throw new Error('not written yet');
  }
  /** Objects that have an ownerReference to this UID. */
  byOwner(_uid: string): DeepReadonly<T>[] {
    throw new Error('not written yet');
  }
  /** Objects under `value` in one of the named indexes; an unknown index throws TypeError. */
  byIndex(_index: string, _value: string): DeepReadonly<T>[] {
    throw new Error('not written yet');
  }
  /** Replays what is there as `added`, then follows. The returned function ends it. */
  addHandler(_handler: StoreHandler<T>): () => void {
    throw new Error('not written yet');
  }
  /** Called whenever lastResourceVersion moved, after the handlers. The returned function ends it. */
  onAdvance(_listener: () => void): () => void {
    throw new Error('not written yet');
  }
  /** For the reflector: a complete list; changes are told as a difference. */
  replace(_items: readonly T[], _resourceVersion: string): void {
    throw new Error('not written yet');
  }
  /** For the reflector: one object is new or changed. */
  upsert(_object: T): void {
    throw new Error('not written yet');
  }
  /** For the reflector: one object is gone; `object` is its last state. */
  remove(_object: T): void {
    throw new Error('not written yet');
  }
  /** For the reflector: nothing changed up to here. */
  bookmark(_resourceVersion: string): void {
    throw new Error('not written yet');
  }
}
