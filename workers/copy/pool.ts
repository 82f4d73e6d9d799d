import { followSignal } from '../s3/aborting.ts';

/**
 * Runs `work` on every item with a bound on how many are under way. The first failure, of an item or of the list,
 * stops the others (their signal is aborted), is waited for, and thrown. Items are taken in order, one only when there
 * is room for it.
 */
export async function runBounded<T>(
  items: Iterable<T> | AsyncIterable<T>,
  concurrency: number,
  work: (item: T, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  // A signal of its own: one that AbortSignal.any makes looks at all its sources whenever it is asked.
  const stop = new AbortController();
  const unfollow = followSignal(signal, stop);
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  // An asynchronous generator queues those who ask at the same time; a synchronous one is asked in turn anyway.
  const take = async (): Promise<void> => {
    try {
      while (!stop.signal.aborted) {
        const next = iterator.next();
        const item = next instanceof Promise ? await next : next;
        if (item.done === true) return;
        if (stop.signal.aborted) break;
        await work(item.value, stop.signal);
      }
    } catch (error) {
      stop.abort(error);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, take));
  unfollow();
  if (stop.signal.aborted) await iterator.return?.();
  stop.signal.throwIfAborted();
}
