/**
 * Where this library reports its figures; the owner of the sink gives them names (controller-runtime's and
 * client-go's fit one to one). Labels are the names of controllers, queues, resources and verbs, never of objects.
 */
export interface KubeMetrics {
  /** A request to the API server ended. `code` is the HTTP status, or `error` when none came. */
  request(verb: string, resource: string, code: string, seconds: number): void;
  /** A reflector's list or watch ended; `outcome` is `ok`, `expired`, `error`. */
  reflector(resource: string, action: 'list' | 'watch', outcome: string): void;
  /** A store's newest resource version, for store_resource_version. */
  storeResourceVersion(resource: string, resourceVersion: string): void;
  queueDepth(queue: string, depth: number): void;
  queueAdd(queue: string): void;
  queueRetry(queue: string): void;
  /** Seconds between an add and the start of its work. */
  queueWait(queue: string, seconds: number): void;
  /** Seconds of work on one key. */
  queueWork(queue: string, seconds: number): void;
  reconcile(controller: string, result: 'success' | 'error' | 'requeue_after', seconds: number): void;
  activeWorkers(controller: string, active: number, maximum: number): void;
  /** A reconcile was put off because a store had not yet seen our own last write. */
  staleSyncSkip(controller: string): void;
  leader(name: string, leading: boolean): void;
}

/** Keeps nothing. */
export const noMetrics: KubeMetrics = {
  request: () => undefined,
  reflector: () => undefined,
  storeResourceVersion: () => undefined,
  queueDepth: () => undefined,
  queueAdd: () => undefined,
  queueRetry: () => undefined,
  queueWait: () => undefined,
  queueWork: () => undefined,
  reconcile: () => undefined,
  activeWorkers: () => undefined,
  staleSyncSkip: () => undefined,
  leader: () => undefined,
};
