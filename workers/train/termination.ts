import { Terminated } from './failure.ts';
import type { HostTimes } from './host.ts';

/** What SIGTERM sets going in the agent. */
export interface Termination {
  /**
   * Resolves (with nothing) when the command has had its time after SIGTERM: little, where `isStarted` says that the
   * shim has never been seen, because then the main container will hardly start any more.
   */
  commandOverdue(isStarted: () => boolean): Promise<undefined>;
  /** Aborted when outputs that are not stored by then will not be, so that there is time left to say so. */
  readonly outputs: AbortSignal;
  /** Aborted when everything must be over, shortly before the pod is killed. */
  readonly last: AbortSignal;
  clear(): void;
}

/**
 * Main gets SIGTERM at the same time and its shim passes it on; the agent waits for the command's end, and keeps what
 * is left of the pod's grace for its own last word.
 */
export function watchTermination(
  terminate: AbortSignal,
  times: Pick<HostTimes, 'graceForCommand' | 'graceForOutputs' | 'grace' | 'lostShim'>,
): Termination {
  const overdue = Promise.withResolvers<undefined>();
  const unstarted = Promise.withResolvers<undefined>();
  const outputs = new AbortController();
  const last = new AbortController();
  const timers: NodeJS.Timeout[] = [];
  const start = (): void => {
    timers.push(
      setTimeout(() => unstarted.resolve(undefined), times.lostShim),
      setTimeout(() => overdue.resolve(undefined), times.graceForCommand),
      setTimeout(
        () => outputs.abort(new Terminated('the outputs were not stored in time')),
        times.graceForOutputs,
      ),
      setTimeout(() => last.abort(new Error("the pod's grace period is over")), times.grace),
    );
  };
  if (terminate.aborted) start();
  else terminate.addEventListener('abort', start, { once: true });
  return {
    commandOverdue: (isStarted) => unstarted.promise.then(() => (isStarted() ? overdue.promise : undefined)),
    outputs: outputs.signal,
    last: last.signal,
    clear() {
      terminate.removeEventListener('abort', start);
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
