import { writeFile } from 'node:fs/promises';
import { pino, type DestinationStream, type Logger } from 'pino';
import { PATHS, readEnvironment, type WorkerEnvironment } from '../contract/environment.ts';
import { EXIT } from '../contract/exitcodes.ts';
import { formatTermination } from '../contract/termination.ts';
import { WorkerFailure, type Failure } from './failure.ts';

/** What the roles `fetch` and `agent` take from their process. */
export interface TrainHost {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted on SIGTERM. */
  readonly terminate: AbortSignal;
  /** Where log lines go. */
  readonly output: DestinationStream;
  /** Other places than a pod's, for tests. */
  readonly paths?: Partial<HostPaths>;
  /** Shorter times than a pod's, for tests. */
  readonly times?: Partial<HostTimes>;
}

export interface HostPaths {
  /** The shim as the image has it. */
  readonly shimSource: string;
  readonly shim: string;
  readonly socket: string;
  readonly exitRecord: string;
  readonly terminationLog: string;
}

/** Milliseconds. */
export interface HostTimes {
  /** How long a store that fails for the moment is tried again, per file. */
  readonly store: number;
  /** How long a results store that refuses is asked to take the last word: a run must end while its store is away. */
  readonly lastWord: number;
  /** How long the operator is waited for: before the outputs may be stored, and to be told of the end. */
  readonly commit: number;
  readonly report: number;
  /** How long a shim that went away without a last word may take to come back. */
  readonly lostShim: number;
  /**
   * After SIGTERM: how long the command is waited for, when outputs must be stored, and when everything must be over.
   * The pod's grace is 90 s.
   */
  readonly graceForCommand: number;
  readonly graceForOutputs: number;
  readonly grace: number;
}

const podPaths: HostPaths = {
  shimSource: PATHS.shimSource,
  shim: PATHS.shim,
  socket: PATHS.socket,
  exitRecord: PATHS.exitRecord,
  terminationLog: PATHS.terminationLog,
};

const podTimes: HostTimes = {
  store: 10 * 60_000,
  lastWord: 60_000,
  commit: 45 * 60_000,
  report: 60_000,
  lostShim: 3_000,
  graceForCommand: 70_000,
  graceForOutputs: 78_000,
  grace: 85_000,
};

export const pathsOf = (host: TrainHost): HostPaths => ({ ...podPaths, ...host.paths });
export const timesOf = (host: TrainHost): HostTimes => ({ ...podTimes, ...host.times });

/** A log of JSON lines that never holds a token or a URL with a signature. */
export function openLog(host: TrainHost): Logger {
  return pino({ base: undefined, redact: ['*.authorization', '*.url', '*.token'] }, host.output);
}

/** Leaves the reason in the pod's status. Outside a pod there is no such file; the exit code and the log say the same. */
export async function writeTermination(host: TrainHost, failure: Failure): Promise<void> {
  const text = formatTermination({ reason: failure.reason, message: failure.message });
  await writeFile(pathsOf(host).terminationLog, text).catch(() => undefined);
}

/** The environment of the pod; a fault in it is one of ours. */
export function openEnvironment(host: TrainHost): WorkerEnvironment {
  try {
    return readEnvironment({ ...host.env });
  } catch (error) {
    const message = error instanceof Error ? error.message : 'the environment cannot be read';
    throw new WorkerFailure(EXIT.misconfigured, 'InvalidSpec', message, { cause: error });
  }
}
