/**
 * Runs `work` on every item with a bound on how many are under way. The first failure, of an item or of the list, stops the others (their signal
 * is aborted), is waited for, and thrown. Items are taken in order, one only when there is room for it.
 */
export async function runBounded<T>(
  items: Iterable<T> | AsyncIterable<T>,
  concurrency: number,
  work: (item: T, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const failure = new AbortController();
  const either = AbortSignal.any([signal, failure.signal]);
  const underWay = new Set<Promise<void>>();
  const run = async (item: T): Promise<void> => {
    try {
      await work(item, either);
    } catch (error) {
      failure.abort(error);
    }
  };
  try {
    for await (const item of items) {
      if (either.aborted) break;
      const promise = run(item).finally(() => underWay.delete(promise));
      underWay.add(promise);
      if (underWay.size >= concurrency) await Promise.race(underWay);
    }
  } catch (error) {
    failure.abort(error);
  }
  await Promise.all(underWay);
  either.throwIfAborted();
}
