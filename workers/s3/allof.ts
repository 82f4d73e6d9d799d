import { followSignal } from './aborting.ts';

/**
 * The results of what goes on at the same time. Unlike Promise.all it throws only when nothing is under way any more, so
 * that what cleans up afterwards comes after all of it. Of several errors the first of the list is thrown.
 */
export async function allOf<T extends readonly unknown[] | []>(
  tasks: T,
): Promise<{ -readonly [P in keyof T]: Awaited<T[P]> }> {
  await Promise.allSettled(tasks);
  return Promise.all(tasks);
}

/**
 * The same where nothing is of use when one of them fails: the first failure breaks the others off (their signal is
 * aborted), is waited for, and thrown.
 */
export async function allOrAbort<T extends readonly unknown[] | []>(
  begin: (signal: AbortSignal) => T,
  signal: AbortSignal,
): Promise<{ -readonly [P in keyof T]: Awaited<T[P]> }> {
  const stop = new AbortController();
  const unfollow = followSignal(signal, stop);
  const tasks = begin(stop.signal);
  for (const task of tasks) Promise.resolve(task).catch((error: unknown) => stop.abort(error));
  await Promise.allSettled(tasks);
  unfollow();
  stop.signal.throwIfAborted();
  return Promise.all(tasks);
}
