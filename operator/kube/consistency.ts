import type { Clock } from './clock.ts';
import type { Key } from './key.ts';
import type { Resource } from './resource.ts';
import type { KubeObject } from './types.ts';

/** What the gate needs of a Store. */
export interface AdvancingStore {
  readonly resource: Resource;
  readonly lastResourceVersion: string | undefined;
  onAdvance(listener: () => void): () => void;
}

export interface ConsistencyGateOptions {
  /** One per resource type that is written. Writes to other resources are not waited for. */
  stores: readonly AdvancingStore[];
  /** Called with a key that `ready` refused, once its stores have caught up (or after 100 ms, to look again). */
  requeue: (key: Key) => void;
  clock?: Clock;
}

/**
 * Read your own writes: after a write, a key is not worked on before the stores have seen it. Needs resource
 * versions of one type to compare as integers, which all released API servers do (a promise since Kubernetes 1.35).
 */
export class ConsistencyGate {
  constructor(_options: ConsistencyGateOptions) {
    throw new Error('not written yet');
  }
  /** Call after each write with the resourceVersion of its answer. */
  wroteAt<T extends KubeObject>(
    _key: Key,
    _resource: Resource<T>,
    _resourceVersion: string | undefined,
  ): void {
    throw new Error('not written yet');
  }
  /** Whether the stores reflect all writes for the key. If not, `requeue(key)` follows. */
  ready(_key: Key): boolean {
    throw new Error('not written yet');
  }
  /** Forgets a key, when its object is gone. */
  clear(_key: Key): void {
    throw new Error('not written yet');
  }
  /** Ends timers and subscriptions. */
  close(): void {
    throw new Error('not written yet');
  }
}
