/** Which pods of ours were given which node, and when. */
import type { LedgerNode } from './record.ts';

/** A pod of ours that was given a node. Times are milliseconds since 1970. */
export interface Claim {
  readonly runUID: string;
  readonly podUID: string;
  readonly boundAt: number;
}

/** Clocks of servers and schedulers may differ by so much, in milliseconds. */
const CLOCK_SKEW_MS = 5_000;

/** Which pods came to which node. By name of the node, because that is all a pod knows. */
export class Claims {
  readonly #byName = new Map<string, Claim[]>();

  has(nodeName: string, podUID: string): boolean {
    return this.#byName.get(nodeName)?.some((claim) => claim.podUID === podUID) === true;
  }

  add(nodeName: string, claim: Claim): void {
    this.#byName.set(nodeName, [...(this.#byName.get(nodeName) ?? []), claim]);
  }

  /** The first of the pods that were bound to this name while this machine had it. */
  first(node: LedgerNode): Claim | undefined {
    let first: Claim | undefined;
    for (const claim of this.#byName.get(node.name) ?? []) {
      const tooEarly = claim.boundAt < node.createdAt - CLOCK_SKEW_MS;
      const tooLate = node.goneAt !== undefined && claim.boundAt > node.goneAt;
      if (!tooEarly && !tooLate && (first === undefined || claim.boundAt < first.boundAt)) first = claim;
    }
    return first;
  }

  /** Forgets all others. */
  keep(wanted: (nodeName: string, claim: Claim) => boolean): void {
    for (const [name, claims] of this.#byName) {
      const kept = claims.filter((claim) => wanted(name, claim));
      if (kept.length === 0) this.#byName.delete(name);
      else if (kept.length < claims.length) this.#byName.set(name, kept);
    }
  }
}
