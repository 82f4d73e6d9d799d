/** Signals that ask a command to end. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * One request can arrive more than once: a terminal and `timeout` tell the whole process group, and npm passes on what
 * it was told as well. Whoever presses Ctrl-C again does so after they have seen that it goes on.
 */
const SAME_REQUEST_MS = 1000;

/** What a signal asks for, given how long ago the first one came (undefined: this is it). */
export function readSignal(
  name: NodeJS.Signals,
  sinceFirstMs: number | undefined,
): 'end' | 'leave' | 'nothing' {
  if (sinceFirstMs === undefined) return 'end';
  return name === 'SIGINT' && sinceFirstMs >= SAME_REQUEST_MS ? 'leave' : 'nothing';
}

/** The exit code of a command that was ended by this signal. */
export function exitCodeOf(name: NodeJS.Signals): 130 | 143 {
  return name === 'SIGINT' ? 130 : 143;
}

/**
 * Calls `end` at the first signal that asks for it, and leaves at once with exit code 130 when Ctrl-C is pressed again.
 * Returns what stops listening.
 */
export function listenForInterrupts(end: (name: NodeJS.Signals) => void): () => void {
  let firstAt: number | undefined;
  const onSignal = (name: NodeJS.Signals): void => {
    const now = performance.now();
    const asked = readSignal(name, firstAt === undefined ? undefined : now - firstAt);
    if (asked === 'leave') process.exit(exitCodeOf(name));
    if (asked === 'nothing') return;
    firstAt = now;
    end(name);
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return () => {
    for (const name of SIGNALS) process.off(name, onSignal);
  };
}
