/** Writes the status of a run, once per pass and last, and not more often than a change is worth. */
import { MANAGER } from '../api/names.ts';
import type { PipelineRunStatus } from '../api/status.ts';
import type { PipelineRun } from '../api/types.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { pipelineRuns } from './resource.ts';
import { type Difference, difference } from './status.ts';

/** Shortest time since the last write before a difference of this kind is written, in milliseconds. */
const PATIENCE: Record<Difference, number> = {
  none: Infinity,
  figures: 600_000,
  progress: 30_000,
  soft: 1_000,
  hard: 0,
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
    if (kind === 'none') return { written: false };
    const since = this.#clock.monotonicMs() - (this.#last.get(uid) ?? -Infinity);
    if (since < PATIENCE[kind]) return { written: false, inMs: PATIENCE[kind] - since };
    const options = { fieldManager: MANAGER, resourceVersion, uid, signal };
    const answer = await this.#client.applyStatus(pipelineRuns, namespace, name, status, options);
    this.#last.set(uid, this.#clock.monotonicMs());
    return { written: true, resourceVersion: answer.metadata.resourceVersion };
  }

  forget(uid: string): void {
    this.#last.delete(uid);
  }
}
