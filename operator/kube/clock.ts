/** The longest time any timer of this library sleeps at once. Node fires a timer of more than 24.8 days immediately. */
export const maximumTimerMs = 3_600_000;

/** Time as an argument, so that tests own it. */
export interface Clock {
  /** Wall clock time. */
  now(): Date;
  /** Milliseconds that only grow; for durations. */
  monotonicMs(): number;
  /**
   * Calls back once after `ms` (below 0 counts as 0, above an hour as an hour: callers look again when it fires).
   * The returned function cancels.
   */
  after(ms: number, callback: () => void): () => void;
}

/** `ms` within what a timer may sleep; NaN counts as 0. */
export function clampTimerMs(ms: number): number {
  return ms > 0 ? Math.min(ms, maximumTimerMs) : 0;
}

/** The machine's clock. Its timers keep the process alive: stop what you started. */
export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, clampTimerMs(ms));
    return () => clearTimeout(timer);
  },
};

/** Waits `ms`; rejects with the signal's reason as soon as it aborts. */
export function sleep(ms: number, clock: Clock, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
