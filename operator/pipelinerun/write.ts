/** Writes the status of a run, once per pass and last, and not more often than a change is worth. */
import { MANAGER } from '../api/names.ts';
import type { PipelineRunStatus } from '../api/status.ts';
import type { PipelineRun } from '../api/types.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { pipelineRuns } from './resource.ts';
import { type Difference, difference } from './status.ts';

/** Longest time that somebody who looks sees another open state than the one there is, in milliseconds. */
const SOFT_MS = 1_000;
/** Shortest time between two writes of something that only grows, in milliseconds. */
const GROWING_MS: Record<Exclude<Difference, 'none' | 'soft' | 'hard'>, number> = {
  figures: 600_000,
  progress: 30_000,
};

export type Written =
  | { written: true; resourceVersion: string }
  /** Not worth a write yet; `inMs` says when it will be. */
  | { written: false; inMs?: number };

export class StatusWriter {
  readonly #client: KubeClient;
  readonly #clock: Clock;
  /** When the status of a run was last written by this process, in monotonic milliseconds. */
  readonly #last = new Map<string, number>();
  /** Since when the status of a run differs softly from what is written, in monotonic milliseconds. */
  readonly #softSince = new Map<string, number>();

  constructor(client: KubeClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /**
   * @param resourceVersion of the run as it was read, or as our own last write to it left it.
   * @throws KubeError Conflict when somebody wrote in between; the next pass starts from what is there.
   */
  async write(
    run: PipelineRun,
    status: PipelineRunStatus,
    resourceVersion: string,
    signal: AbortSignal,
  ): Promise<Written> {
    const { uid, namespace, name } = run.metadata;
    const kind = difference(run.status, status);
    const inMs = this.#patience(uid, kind);
    if (inMs > 0) return kind === 'none' ? { written: false } : { written: false, inMs };
    const options = { fieldManager: MANAGER, resourceVersion, uid, signal };
    const answer = await this.#client.applyStatus(pipelineRuns, namespace, name, status, options);
    this.#last.set(uid, this.#clock.monotonicMs());
    this.#softSince.delete(uid);
    return { written: true, resourceVersion: answer.metadata.resourceVersion };
  }

  forget(uid: string): void {
    this.#last.delete(uid);
    this.#softSince.delete(uid);
  }

  /** How long the difference may still wait, in milliseconds. Soft ones share the write of whatever comes within a second. */
  #patience(uid: string, kind: Difference): number {
    const now = this.#clock.monotonicMs();
    if (kind !== 'soft') this.#softSince.delete(uid);
    switch (kind) {
      case 'none':
        return Infinity;
      case 'hard':
        return 0;
      case 'soft': {
        const since = this.#softSince.get(uid) ?? now;
        this.#softSince.set(uid, since);
        return since + SOFT_MS - now;
      }
      case 'figures':
      case 'progress':
        return (this.#last.get(uid) ?? -Infinity) + GROWING_MS[kind] - now;
      default:
        return kind satisfies never;
    }
  }
}
