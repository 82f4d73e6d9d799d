import type { StageSignals } from './stage.ts';

/** Milliseconds after the word to stop until requests are broken off, and until everything is. */
const abortAfter = 18_000;
const giveUpAfter = 26_000;

/**
 * The three signals of a stage from one: a pod has 30 s of grace after SIGTERM, and nobody waits longer at a terminal.
 * `clear` stops the timers.
 */
export function makeSignals(terminate: AbortSignal): StageSignals & { readonly clear: () => void } {
  const abort = new AbortController();
  const last = new AbortController();
  const timers: NodeJS.Timeout[] = [];
  const start = (): void => {
    timers.push(
      setTimeout(() => abort.abort(new Error('terminated')), abortAfter),
      setTimeout(() => last.abort(new Error('terminated')), giveUpAfter),
    );
  };
  if (terminate.aborted) start();
  else terminate.addEventListener('abort', start, { once: true });
  const clear = (): void => {
    terminate.removeEventListener('abort', start);
    for (const timer of timers) clearTimeout(timer);
  };
  return { stop: terminate, abort: abort.signal, last: last.signal, clear };
}
