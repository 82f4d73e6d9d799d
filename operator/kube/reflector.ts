import type { KubeClient } from './client.ts';
import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';
import type { KubeMetrics } from './metrics.ts';
import type { Resource } from './resource.ts';
import type { Store } from './store.ts';
import type { KubeObject } from './types.ts';

export interface ReflectorOptions<T extends KubeObject> {
  client: KubeClient;
  resource: Resource<T>;
  store: Store<T>;
  /** Absent: all namespaces. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  /** Trims an object before it is stored (it may change its argument); managedFields are always dropped. */
  transform?: (object: T) => T;
  logger?: Logger;
  metrics?: KubeMetrics;
  clock?: Clock;
  /** 0 <= n < 1; for jitter. */
  random?: () => number;
}

/** Keeps a store equal to the server: list, then watch, for ever, through every kind of failure. */
export class Reflector<T extends KubeObject> {
  constructor(_options: ReflectorOptions<T>) {
    throw new Error('not written yet');
  }
  /** Works until the signal aborts, then resolves: no request follows. It never rejects. */
  run(_signal: AbortSignal): Promise<void> {
    throw new Error('not written yet');
  }
}
