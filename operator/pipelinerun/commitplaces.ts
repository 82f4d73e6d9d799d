/** How many records are stored at once, so that neither the store nor the runs of others suffer. */
import { Limiter } from '../kube/limiter.ts';

/** Mostly a try waits for the end of a log, which costs nothing: bounds are wide. */
const LIMITS = { all: 128, namespace: 32, deleting: 64 };

export class CommitPlaces {
  readonly #all: Limiter;
  /** Runs that are being deleted have little time, and give their places back soon. */
  readonly #deleting: Limiter;
  readonly #limits: typeof LIMITS;
  readonly #namespaces = new Map<string, { limiter: Limiter; users: number }>();

  constructor(limits: Partial<typeof LIMITS> = {}) {
    this.#limits = { ...LIMITS, ...limits };
    this.#all = new Limiter(this.#limits.all);
    this.#deleting = new Limiter(this.#limits.deleting);
  }

  /** Does the work once there is a place for it. @throws the signal's reason when there was none in time. */
  async run<T>(
    { namespace, deleting }: { namespace: string; deleting: boolean },
    work: () => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    if (deleting) return await this.#deleting.run(work, signal);
    const known = this.#namespaces.get(namespace);
    const own = known ?? { limiter: new Limiter(this.#limits.namespace), users: 0 };
    if (known === undefined) this.#namespaces.set(namespace, own);
    own.users += 1;
    try {
      // Its own bound first: who waits behind the runs of the same namespace holds no place that others could have.
      return await own.limiter.run(() => this.#all.run(work, signal), signal);
    } finally {
      own.users -= 1;
      if (own.users === 0) this.#namespaces.delete(namespace);
    }
  }
}
