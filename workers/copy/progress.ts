import type { WorkerApi } from '../api/client.ts';
import type { PlanIndex } from '../contract/copyplan.ts';
import type { ProgressRequest } from '../contract/workerapi.ts';
import type { CopyLog } from './log.ts';
import { PaceMeter } from './pace.ts';
import type { Tally } from './tally.ts';

/** Milliseconds between progress posts, and between progress lines in the log. */
const postEvery = 2_000;
const logEvery = 10_000;

/** What one worker does, once the plan is known. */
export interface Copying {
  readonly tally: Tally;
  readonly plan: PlanIndex;
  readonly index: number;
  /** Requests to the stores of the data since the start, and those that were refused for being too many. */
  readonly traffic: () => { readonly requests: number; readonly throttled: number };
}

/** Tells the operator (every 2 s) and the log (every 10 s) how far the copy is. `stop` sends the last state. */
export function reportProgress(
  current: () => Copying | undefined,
  api: Pick<WorkerApi, 'progress'>,
  log: CopyLog,
  signal: AbortSignal,
): { readonly stop: () => Promise<void> } {
  const meter = new ProgressMeter();
  let lastLine = Date.now();
  let underWay: Promise<void> | undefined;
  const post = async (): Promise<void> => {
    const copying = current();
    if (copying === undefined) return;
    const progress = meter.measure(copying, performance.now());
    if (Date.now() - lastLine >= logEvery) {
      lastLine = Date.now();
      const { done, bytes, perSecond, secondsLeft, throttled } = progress;
      const total = copying.tally.result.planned;
      log.info({ done, total, bytes, perSecond, secondsLeft, throttled }, 'progress');
    }
    // Progress is for people; the next post or the report makes up for one that is lost.
    await api.progress(progress, signal).catch(() => undefined);
  };
  const timer = setInterval(() => {
    underWay ??= post().finally(() => {
      underWay = undefined;
    });
  }, postEvery);
  return {
    stop: async () => {
      clearInterval(timer);
      await underWay;
      await post();
    },
  };
}

/** Looks at the work now and then, and says how far it is and how fast it goes. */
export class ProgressMeter {
  readonly #pace = new PaceMeter();
  #before = { requests: 0, throttled: 0 };

  /** `time`: milliseconds of a clock that only goes forward. */
  measure({ tally, plan, index, traffic }: Copying, time: number): ProgressRequest {
    const own = plan.shards.filter((shard) => shard.index === index);
    const { bytes, own: done } = tally;
    // What earlier pods did says nothing about the pace of this one.
    const sample = { time, ...done };
    const left = {
      objects: sample.objects + tally.result.planned - tally.done,
      bytes: sample.bytes + own.reduce((sum, shard) => sum + shard.bytes, 0) - bytes,
    };
    const { objectsPerSecond, secondsLeft } = this.#pace.measure(sample, left);
    const { requests, throttled } = traffic();
    const before = this.#before;
    this.#before = { requests, throttled };
    return {
      done: tally.done,
      total: plan.rows,
      unit: 'objects',
      bytes,
      totalBytes: plan.bytes,
      perSecond: Math.round(objectsPerSecond * 10) / 10,
      ...(secondsLeft === undefined ? {} : { secondsLeft: Math.ceil(secondsLeft) }),
      requests: requests - before.requests,
      throttled: throttled - before.throttled,
    };
  }
}
