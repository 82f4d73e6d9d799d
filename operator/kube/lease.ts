/**
 * Leader election on a Lease, for controllers of which one at a time should work. Part of the library for the high
 * availability that is to come: the operator is one replica that is replaced, and does not use it yet.
 */
import type { KubeClient } from './client.ts';
import { type Clock, sleep, systemClock } from './clock.ts';
import { formatMicroTime } from './conditions.ts';
import { isAlreadyExists, isConflict, isNotFound } from './errors.ts';
import { type Logger, silentLogger } from './logger.ts';
import { type KubeMetrics, noMetrics } from './metrics.ts';
import { leases } from './resource.ts';
import type { Lease } from './types.ts';

export interface LeaderElectorOptions {
  client: Pick<KubeClient, 'get' | 'create' | 'update'>;
  namespace: string;
  /** Name of the Lease. */
  name: string;
  /** Unique per process, such as `<pod name>_<random>`. */
  identity: string;
  /** How long others wait for us after our last renewal, in milliseconds; 15,000 unless given. */
  leaseDurationMs?: number;
  /** How long we try to renew before we give up leading; 10,000 unless given. */
  renewDeadlineMs?: number;
  /** Between tries; 2,000 unless given. */
  retryPeriodMs?: number;
  logger?: Logger;
  metrics?: KubeMetrics;
  clock?: Clock;
  random?: () => number;
}

/** Leadership was lost; the process should end and start anew. */
export class LeadershipLostError extends Error {
  override readonly name = 'LeadershipLostError';
  readonly code = 'KUBE_LEADERSHIP_LOST';
}

/** Followers spread their tries over this much more than the retry period. */
const retryJitter = 1.2;

/**
 * Leader election on a Lease. It saves work, it does not guarantee a single actor: correctness comes from names and
 * optimistic concurrency.
 */
export class LeaderElector {
  readonly #options: LeaderElectorOptions;
  readonly #leaseDurationMs: number;
  readonly #renewDeadlineMs: number;
  readonly #retryPeriodMs: number;
  readonly #logger: Logger;
  readonly #metrics: KubeMetrics;
  readonly #clock: Clock;
  readonly #random: () => number;
  /** The Lease as last seen, and when by our own clock it last changed: nobody else's clock counts. */
  #seen: Lease | undefined;
  #seenAtMs = 0;
  #leading = false;

  constructor(options: LeaderElectorOptions) {
    this.#options = options;
    this.#leaseDurationMs = options.leaseDurationMs ?? 15_000;
    this.#renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
    this.#retryPeriodMs = options.retryPeriodMs ?? 2_000;
    this.#logger = (options.logger ?? silentLogger).child({ lease: options.name });
    this.#metrics = options.metrics ?? noMetrics;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
  }

  get isLeader(): boolean {
    return this.#leading;
  }

  /**
   * Waits to become the leader, then runs `lead` with a signal that aborts when leadership is lost or `signal`
   * aborts. After an abort from outside, or when `lead` ends by itself, it waits for `lead`, gives the Lease back
   * and resolves (or rejects as `lead` did); after a loss it rejects with LeadershipLostError at once.
   */
  async run(lead: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    if (!(await this.#acquire(signal))) return;
    const term = new AbortController();
    const onStop = (): void => term.abort(signal.reason);
    if (signal.aborted) onStop();
    signal.addEventListener('abort', onStop, { once: true });
    this.#setLeading(true);
    const work = lead(term.signal);
    const over = new AbortController();
    try {
      const lost = await Promise.race([work.then(() => false), this.#renewUntilLost(over.signal)]);
      if (lost) {
        // What `lead` still says after its signal aborted is of no interest to anybody.
        work.catch(() => undefined);
        throw new LeadershipLostError('the lease could not be renewed in time');
      }
      over.abort();
      await this.#release();
    } catch (error) {
      over.abort();
      if (!(error instanceof LeadershipLostError)) await this.#release();
      if (!signal.aborted || error !== signal.reason) throw error;
    } finally {
      over.abort();
      term.abort();
      signal.removeEventListener('abort', onStop);
      this.#setLeading(false);
    }
  }

  /** Resolves true as leader, false when the signal aborted first. */
  async #acquire(signal: AbortSignal): Promise<boolean> {
    this.#metrics.leader(this.#options.name, false);
    while (!signal.aborted) {
      try {
        if (await this.#tryOnce(this.#renewDeadlineMs, signal)) return true;
      } catch (error) {
        if (signal.aborted) break;
        this.#logger.warn({ err: error }, 'the lease could not be read or written');
      }
      const jitterMs = this.#retryPeriodMs * retryJitter * this.#random();
      await sleep(this.#retryPeriodMs + jitterMs, this.#clock, signal).catch(() => undefined);
    }
    return false;
  }

  /** Renews until `over` aborts (false), or until the deadline passed or somebody else leads (true). */
  #renewUntilLost(over: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      let renewedAtMs = this.#clock.monotonicMs();
      // A timer of its own, so that not even a call that never returns makes us lead beyond the deadline.
      let cancel = (): void => undefined;
      const arm = (): void => {
        cancel();
        cancel = this.#clock.after(this.#renewDeadlineMs, () => resolve(true));
      };
      const remainingMs = (): number => renewedAtMs + this.#renewDeadlineMs - this.#clock.monotonicMs();
      const renew = async (): Promise<void> => {
        while (!over.aborted) {
          await sleep(this.#retryPeriodMs, this.#clock, over);
          try {
            const startedMs = this.#clock.monotonicMs();
            // Half the time left for one try, so that one lost answer does not cost the leadership.
            if (!(await this.#tryOnce(Math.max(1, remainingMs() / 2), over))) {
              const holder = this.#seen?.spec?.holderIdentity ?? '';
              if (holder === '' || holder === this.#options.identity) continue;
              resolve(true);
              return;
            }
            renewedAtMs = startedMs;
            arm();
          } catch (error) {
            over.throwIfAborted();
            this.#logger.warn({ err: error }, 'the lease could not be renewed, will be tried again');
          }
        }
      };
      over.addEventListener('abort', () => cancel(), { once: true });
      arm();
      renew().catch(() => resolve(false));
    });
  }

  /** One try to take or keep the Lease. True: it is ours now. False: somebody else was or came first. */
  async #tryOnce(deadlineMs: number, signal: AbortSignal, isSecond = false): Promise<boolean> {
    const { client, namespace, name, identity } = this.#options;
    const call = { deadlineMs, signal };
    let current: Lease | undefined = this.#leading ? this.#seen : undefined;
    if (current === undefined) {
      try {
        current = await client.get(leases, namespace, name, call);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
    try {
      if (current === undefined) {
        const created = await client.create(
          leases,
          namespace,
          { metadata: { name, namespace }, spec: this.#claim(undefined) },
          call,
        );
        this.#observe(created);
        return true;
      }
      this.#observe(current);
      const holder = current.spec?.holderIdentity ?? '';
      if (holder !== '' && holder !== identity && !this.#isExpired(current)) return false;
      const claimed = { ...current, spec: { ...current.spec, ...this.#claim(current) } };
      this.#observe(await client.update(leases, namespace, name, claimed, call));
      return true;
    } catch (error) {
      if (!isConflict(error) && !isAlreadyExists(error) && !isNotFound(error)) throw error;
      // Look again at what is there: it may be our own write whose answer was lost, and then it is still our turn.
      await this.#look(deadlineMs, signal);
      const isOurs = this.#seen?.spec?.holderIdentity === identity;
      return isOurs && !isSecond ? this.#tryOnce(deadlineMs, signal, true) : false;
    }
  }

  async #look(deadlineMs: number, signal: AbortSignal): Promise<void> {
    const { client, namespace, name } = this.#options;
    try {
      this.#observe(await client.get(leases, namespace, name, { deadlineMs, signal }));
    } catch (error) {
      if (!isNotFound(error)) throw error;
      this.#seen = undefined;
    }
  }

  #claim(current: Lease | undefined): NonNullable<Lease['spec']> {
    const { identity } = this.#options;
    const now = formatMicroTime(this.#clock.now());
    const isOurs = current?.spec?.holderIdentity === identity;
    const transitions = current?.spec?.leaseTransitions ?? 0;
    return {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(this.#leaseDurationMs / 1000),
      acquireTime: isOurs ? (current.spec?.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: current === undefined || isOurs ? transitions : transitions + 1,
    };
  }

  #observe(lease: Lease): void {
    if (lease.metadata.resourceVersion !== this.#seen?.metadata.resourceVersion) {
      this.#seenAtMs = this.#clock.monotonicMs();
    }
    this.#seen = lease;
  }

  /** Whether the holder has let its own duration pass, since we saw the Lease change, without renewing. */
  #isExpired(lease: Lease): boolean {
    const seconds = lease.spec?.leaseDurationSeconds;
    const durationMs = seconds === undefined ? this.#leaseDurationMs : seconds * 1000;
    return this.#clock.monotonicMs() - this.#seenAtMs >= durationMs;
  }

  /** Gives the Lease back, so that the next leader need not wait. Best effort. */
  async #release(): Promise<void> {
    const { client, namespace, name, identity } = this.#options;
    const lease = this.#seen;
    if (lease?.spec?.holderIdentity !== identity) return;
    const now = formatMicroTime(this.#clock.now());
    const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: now };
    try {
      await client.update(leases, namespace, name, { ...lease, spec }, { deadlineMs: 5_000 });
      this.#logger.info({}, 'the lease was given back');
    } catch (error) {
      this.#logger.warn({ err: error }, 'the lease could not be given back');
    }
  }

  #setLeading(leading: boolean): void {
    if (this.#leading === leading) return;
    this.#leading = leading;
    this.#metrics.leader(this.#options.name, leading);
    this.#logger.info({}, leading ? 'leading' : 'no longer leading');
  }
}
