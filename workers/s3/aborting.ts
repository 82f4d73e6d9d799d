/** What can be broken off. */
export interface Abortable {
  abort(reason: unknown): void;
}

const followers = new WeakMap<AbortSignal, Set<Abortable>>();

/**
 * Breaks `what` off when the signal is aborted, unless the returned function is called first. However many follow a
 * signal, it has one listener: adding and removing one per request would cost as much as signing it.
 */
export function followSignal(signal: AbortSignal, what: Abortable): () => void {
  if (signal.aborted) {
    what.abort(signal.reason);
    return () => undefined;
  }
  let following = followers.get(signal);
  if (following === undefined) {
    following = new Set();
    followers.set(signal, following);
    const all = following;
    const stop = (): void => {
      for (const one of all) one.abort(signal.reason);
      all.clear();
    };
    signal.addEventListener('abort', stop, { once: true });
  }
  const set = following;
  set.add(what);
  return () => set.delete(what);
}
