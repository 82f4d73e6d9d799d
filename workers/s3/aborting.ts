/** What can be broken off. */
export interface Abortable {
  abort(reason: unknown): void;
}

interface Followers {
  readonly all: Set<Abortable>;
  readonly listener: () => void;
}

const known = new WeakMap<AbortSignal, Followers>();

/**
 * Breaks `what` off when the signal is aborted, unless the returned function is called first. However many follow a
 * signal at once, it has one listener: adding and removing one per request would cost as much as signing it. With the
 * last of them the listener goes: Node keeps a signal that was made of others for as long as somebody listens to it.
 */
export function followSignal(signal: AbortSignal, what: Abortable): () => void {
  if (signal.aborted) {
    what.abort(signal.reason);
    return () => undefined;
  }
  const followers = known.get(signal) ?? listenTo(signal);
  followers.all.add(what);
  return () => {
    followers.all.delete(what);
    if (followers.all.size === 0) leave(signal, followers);
  };
}

function listenTo(signal: AbortSignal): Followers {
  const all = new Set<Abortable>();
  const listener = (): void => {
    for (const one of all) one.abort(signal.reason);
    all.clear();
  };
  signal.addEventListener('abort', listener, { once: true });
  const followers = { all, listener };
  known.set(signal, followers);
  return followers;
}

/** Harmless when it has been left before. */
function leave(signal: AbortSignal, followers: Followers): void {
  if (known.get(signal) !== followers) return;
  known.delete(signal);
  signal.removeEventListener('abort', followers.listener);
}

/** Milliseconds for cleaning up after what was broken off. */
const cleaningTime = 5_000;

/** The signal to clean up with: the work's own, or where that was broken off, one of a few seconds. */
export function cleaningSignal(signal: AbortSignal): AbortSignal {
  return signal.aborted ? AbortSignal.timeout(cleaningTime) : signal;
}
