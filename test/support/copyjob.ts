import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CopyStage } from '../../operator/api/copystage.ts';
import { EXIT } from '../../workers/contract/exitcodes.ts';
import type { CopyBed } from './copybed.ts';

/**
 * The Job of a copy stage, as its workers see it: pods are processes of their own, one per index. It begins with worker
 * 0, has the others when the operator was told of the plan, and replaces every pod that is killed or ends as retryable.
 */
export class CopyJob {
  /** Pods of each index that were killed. */
  readonly deaths: number[];
  /** Exit codes of pods that ended by themselves. */
  readonly codes: (number | null)[] = [];
  readonly #bed: CopyBed;
  readonly #copy: CopyStage;
  readonly #workers: number;
  readonly #pods = new Map<number, ChildProcess>();

  constructor(bed: CopyBed, copy: CopyStage, workers: number) {
    this.#bed = bed;
    this.#copy = copy;
    this.#workers = workers;
    this.deaths = Array.from({ length: workers }, () => 0);
  }

  /** Runs every index to its end. Throws when one ends for good without success. */
  async run(): Promise<void> {
    const first = this.#runIndex(0);
    const ended = { yet: false };
    void first.finally(() => (ended.yet = true)).catch(() => undefined);
    while (this.#bed.grants.workers < 2 && !ended.yet) await sleep(5);
    const others = Array.from({ length: this.#bed.grants.workers - 1 }, (_, n) => this.#runIndex(n + 1));
    await Promise.all([first, ...others]);
  }

  /** kill -9 for the pod that an index has now, or for all. Where that index has none, another dies for it. */
  kill(whom: number | 'all'): void {
    const living = [...this.#pods].filter(([, pod]) => pod.exitCode === null && !pod.killed);
    const wanted = living.filter(([index]) => whom === 'all' || whom === index);
    for (const [, pod] of wanted.length > 0 ? wanted : living.slice(0, 1)) pod.kill('SIGKILL');
  }

  async #runIndex(index: number): Promise<void> {
    for (;;) {
      const pod = await this.#bed.spawn(this.#copy, { index, workers: this.#workers });
      this.#pods.set(index, pod);
      const [code] = await once(pod, 'exit');
      if (code === null) this.deaths[index] = (this.deaths[index] ?? 0) + 1;
      else this.codes.push(code);
      if (code === EXIT.ok) break;
      if (code !== null && code !== EXIT.unavailable) throw new Error(`worker ${index} exited with ${code}`);
    }
    this.#pods.delete(index);
  }
}
