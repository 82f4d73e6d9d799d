import { randomUUID } from 'node:crypto';
import type { KubeObject } from '../../../operator/kube/types.ts';

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED';

/** One change of one collection, as watchers are told. */
export interface Change {
  version: number;
  collection: string;
  type: ChangeType;
  object: KubeObject;
  /** The object before the change. */
  previous?: KubeObject;
}

/** What the server stores: objects by path, one growing version, and the history that watches are served from. */
export class World {
  readonly #objects = new Map<string, KubeObject>();
  readonly #listeners = new Set<() => void>();
  readonly history: Change[] = [];
  /** When an object is made that does not say so itself. */
  madeAt = (): string => '2026-01-01T00:00:00Z';
  /** Watches from before this version get 410. */
  oldest = 0;
  #version = 100;

  get version(): number {
    return this.#version;
  }

  get(path: string): KubeObject | undefined {
    return this.#objects.get(path);
  }

  /** The objects of a collection; a cluster-wide collection of a namespaced resource holds all namespaces. */
  list(collection: string): KubeObject[] {
    return [...this.#objects]
      .filter(([path]) => isWithin(path, collection))
      .map(([, object]) => structuredClone(object));
  }

  put(path: string, object: KubeObject): KubeObject {
    const old = this.#objects.get(path);
    this.#version += 1;
    const stored: KubeObject = structuredClone({
      ...object,
      metadata: {
        ...object.metadata,
        uid: old?.metadata.uid ?? object.metadata.uid ?? randomUUID(),
        creationTimestamp: old?.metadata.creationTimestamp ?? this.madeAt(),
        resourceVersion: String(this.#version),
      },
    });
    this.#objects.set(path, stored);
    this.#tell(old === undefined ? 'ADDED' : 'MODIFIED', path, stored, old);
    return stored;
  }

  delete(path: string): KubeObject | undefined {
    const old = this.#objects.get(path);
    if (old === undefined) return undefined;
    this.#objects.delete(path);
    this.#version += 1;
    const last = { ...old, metadata: { ...old.metadata, resourceVersion: String(this.#version) } };
    this.#tell('DELETED', path, last, old);
    return last;
  }

  /** Time passes elsewhere: the version grows, this collection does not change. */
  tick(): number {
    this.#version += 1;
    return this.#version;
  }

  /** Forgets the history, so that watches from earlier versions are expired. */
  compact(): void {
    this.oldest = this.#version;
  }

  /** A restored backup: the same objects under lower versions. */
  rewind(version: number): void {
    this.#version = version;
    this.oldest = 0;
    this.history.length = 0;
    for (const object of this.#objects.values()) object.metadata.resourceVersion = String(version);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #tell(type: ChangeType, path: string, object: KubeObject, previous: KubeObject | undefined): void {
    const change = { version: this.#version, collection: path, type, object: structuredClone(object) };
    this.history.push(previous === undefined ? change : { ...change, previous });
    for (const listener of this.#listeners) listener();
  }
}

/** Whether an object's path belongs to a collection's: `…/namespaces/a/jobs/x` to `…/namespaces/a/jobs` and `…/jobs`. */
export function isWithin(path: string, collection: string): boolean {
  const slash = path.lastIndexOf('/');
  const own = path.slice(0, slash);
  return own === collection || own.replace(/\/namespaces\/[^/]+/, '') === collection;
}
