/** The reflector: keeps a store equal to a collection of the API server, by list and watch. */
import { Backoff, type BackoffPolicy, reflectorBackoff } from './backoff.ts';
import type { KubeClient } from './client.ts';
import { type Clock, sleep, systemClock } from './clock.ts';
import { isExpired, isTooLargeResourceVersion, KubeError, KubeTimeoutError } from './errors.ts';
import { type Logger, silentLogger } from './logger.ts';
import { type KubeMetrics, noMetrics } from './metrics.ts';
import { type Resource, resourceName } from './resource.ts';
import type { Store } from './store.ts';
import type { KubeList, KubeObject, WatchEvent } from './types.ts';

export interface ReflectorOptions<T extends KubeObject> {
  client: Pick<KubeClient, 'list' | 'watch'>;
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
  backoff?: BackoffPolicy;
  timing?: Partial<ReflectorTiming>;
}

/** All in milliseconds. */
export interface ReflectorTiming {
  /** Deadline of a list. 30,000 unless given. */
  listMs: number;
  /** The server ends a watch after between one and two of this. 300,000 unless given. */
  watchMs: number;
  /** How much longer we wait for that end. 5,000 unless given. */
  watchGraceMs: number;
  /** A watch so long without event or bookmark (which come every minute) is taken for dead. 150,000 unless given. */
  idleMs: number;
  /** A watch that ended sooner, and empty, counts as a failure. 1,000 unless given. */
  shortMs: number;
}

const defaultTiming: ReflectorTiming = {
  listMs: 30_000,
  watchMs: 300_000,
  watchGraceMs: 5_000,
  idleMs: 150_000,
  shortMs: 1_000,
};

/** After so many refused watches in a row the list is read anew, whatever the reason given. */
const relistAfterFailures = 5;

/** Keeps a store equal to the server: list, then watch, for ever, through every kind of failure. */
export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  readonly #timing: ReflectorTiming;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #logger: Logger;
  readonly #metrics: KubeMetrics;
  readonly #backoff: Backoff;
  readonly #name: string;
  /** Where the next watch begins; undefined means list first. */
  #from: string | undefined;
  /** The last list or watch said that our versions are unknown to the server: ask for the newest. */
  #needsNewest = false;
  /** Refused watches and lists since one of them last worked. */
  #refusals = 0;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#timing = { ...defaultTiming, ...options.timing };
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#name = resourceName(options.resource);
    this.#logger = (options.logger ?? silentLogger).child({ resource: this.#name });
    this.#metrics = options.metrics ?? noMetrics;
    this.#backoff = new Backoff(options.backoff ?? reflectorBackoff, this.#clock, this.#random);
  }

  /** Works until the signal aborts, then resolves: no request follows. It never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const action = this.#from === undefined ? 'list' : 'watch';
      try {
        const delayMs = action === 'list' ? await this.#list(signal) : await this.#watch(signal);
        this.#metrics.reflector(this.#name, action, 'ok');
        if (delayMs > 0) await sleep(delayMs, this.#clock, signal);
      } catch (error) {
        if (signal.aborted) break;
        await this.#recover(action, error, signal);
      }
    }
  }

  /** Reads all and tells the store the difference. */
  async #list(signal: AbortSignal): Promise<number> {
    const { client, resource, namespace, labelSelector, fieldSelector, store } = this.#options;
    const list: KubeList<T> = await client.list(resource, namespace, {
      labelSelector,
      fieldSelector,
      // The first list is the newest there is: a cache of the server ('0') may be older than what the process before this
      // one has written, and nobody would know. Later ones must not be older than what is known already.
      resourceVersion: this.#needsNewest ? undefined : store.lastResourceVersion,
      deadlineMs: this.#timing.listMs,
      signal,
    });
    signal.throwIfAborted();
    store.replace(
      list.items.map((item) => this.#trim(item)),
      list.metadata.resourceVersion,
    );
    this.#from = list.metadata.resourceVersion;
    this.#needsNewest = false;
    // Lists work again. One refusal is kept: a server that calls every version expired would be listed without a pause.
    this.#refusals = Math.min(this.#refusals, 1);
    return 0;
  }

  /** Follows from where we are until the watch ends; resolves with the delay before the next. */
  async #watch(signal: AbortSignal): Promise<number> {
    const { client, resource, namespace, labelSelector, fieldSelector } = this.#options;
    const timeoutMs = this.#timing.watchMs * (1 + this.#random());
    const startedMs = this.#clock.monotonicMs();
    const life = new AbortController();
    const onStop = (): void => life.abort(signal.reason);
    signal.addEventListener('abort', onStop, { once: true });
    const cancelGuard = this.#clock.after(timeoutMs + this.#timing.watchGraceMs, () =>
      life.abort(new KubeTimeoutError('the server did not end the watch in time')),
    );
    let count = 0;
    try {
      const events = client.watch(resource, namespace, {
        labelSelector,
        fieldSelector,
        resourceVersion: this.#from,
        timeoutSeconds: Math.max(1, Math.round(timeoutMs / 1000)),
        idleTimeoutMs: this.#timing.idleMs,
        signal: life.signal,
      });
      for await (const event of events) {
        signal.throwIfAborted();
        this.#take(event);
        this.#refusals = 0;
        count += 1;
      }
    } finally {
      cancelGuard();
      signal.removeEventListener('abort', onStop);
    }
    const tooShort = count === 0 && this.#clock.monotonicMs() - startedMs < this.#timing.shortMs;
    if (tooShort) return this.#backoff.next();
    this.#refusals = 0;
    return 0;
  }

  #take(event: WatchEvent<T>): void {
    const { store } = this.#options;
    switch (event.type) {
      case 'ADDED':
      case 'MODIFIED':
        store.upsert(this.#trim(event.object));
        break;
      case 'DELETED':
        store.remove(this.#trim(event.object));
        break;
      case 'BOOKMARK':
        store.bookmark(event.object.metadata.resourceVersion);
        break;
    }
    this.#from = store.lastResourceVersion;
  }

  async #recover(action: 'list' | 'watch', error: unknown, signal: AbortSignal): Promise<void> {
    const expired = isExpired(error) || isTooLargeResourceVersion(error);
    this.#metrics.reflector(this.#name, action, expired ? 'expired' : 'error');
    if (error instanceof KubeTimeoutError && action === 'watch') {
      // A silent watch is given up and taken up again at the same version: nothing is known to be wrong.
      this.#logger.info({ reason: error.message }, 'watch renewed');
    } else {
      this.#logger.warn({ err: error, action }, 'list or watch failed, will be tried again');
    }
    if (error instanceof KubeError && error.status !== 429) this.#refusals += 1;
    if (expired || this.#refusals >= relistAfterFailures) {
      // A list that was refused with our version is tried without one; a watch first with ours, from the cache.
      this.#needsNewest = action === 'list' || this.#needsNewest || isTooLargeResourceVersion(error);
      this.#from = undefined;
      if (action === 'watch' && expired && this.#refusals <= 1) return;
    }
    const asked = error instanceof KubeError ? (error.retryAfterMs ?? 0) : 0;
    try {
      await sleep(Math.max(asked, this.#backoff.next()), this.#clock, signal);
    } catch {
      // Only the signal ends a sleep early, and the loop sees that by itself.
    }
  }

  #trim(object: T): T {
    delete object.metadata.managedFields;
    return this.#options.transform?.(object) ?? object;
  }
}
