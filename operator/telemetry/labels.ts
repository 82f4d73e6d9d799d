/** What a label says once there are too many different values. */
export const OTHER = 'other';

/**
 * Lets at most `limit` different values through and calls every further one `other`, for ever: what users may
 * choose freely must not decide how many series there are.
 */
export class LabelGuard {
  readonly #known = new Set<string>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The value itself, or `other`. */
  bound(value: string): string {
    if (this.#known.has(value)) return value;
    if (this.#known.size >= this.#limit) return OTHER;
    this.#known.add(value);
    return value;
  }
}

/** Labels that say whose a run is. Never its name or UID. */
export interface RunLabels {
  readonly namespace: string;
  /** `spec.pipeline`. */
  readonly pipeline: string;
}

/** Guards the pair, because the number of series follows the number of pairs. */
export class RunLabelGuard {
  readonly #pairs: LabelGuard;

  constructor(limit: number) {
    this.#pairs = new LabelGuard(limit);
  }

  bound({ namespace, pipeline }: RunLabels): { namespace: string; pipeline: string } {
    return this.#pairs.bound(`${namespace}/${pipeline}`) === OTHER
      ? { namespace: OTHER, pipeline: OTHER }
      : { namespace, pipeline };
  }
}
