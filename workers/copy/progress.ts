import type { Logger } from 'pino';
import type { WorkerApi } from '../api/client.ts';
import type { Tally } from './tally.ts';

/** Milliseconds between progress posts, and between progress lines in the log. */
const postEvery = 2_000;
const logEvery = 10_000;

/** Tells the operator (every 2 s) and the log (every 10 s) how far the copy is. `stop` sends the last state. */
export function reportProgress(
  current: () => Tally | undefined,
  api: WorkerApi,
  log: Logger,
  signal: AbortSignal,
): { readonly stop: () => Promise<void> } {
  let lastLine = Date.now();
  let underWay: Promise<void> | undefined;
  const post = async (): Promise<void> => {
    const tally = current();
    if (tally === undefined) return;
    const { planned } = tally.result;
    const own = { objects: tally.ownObjects, bytes: tally.ownBytes };
    if (Date.now() - lastLine >= logEvery) {
      lastLine = Date.now();
      log.info({ done: tally.done, total: planned, ...own }, 'progress');
    }
    // Progress is for people; the next post or the report makes up for one that is lost.
    await api
      .progress({ done: tally.done, total: planned, unit: 'objects', ...own }, signal)
      .catch(() => undefined);
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
