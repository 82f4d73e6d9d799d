/** The directory in which a copy keeps its plan and ledger, so that the same command can go on after a crash. */
import { randomUUID } from 'node:crypto';
import { access, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CliError } from '../errors.ts';
import { claimDirectory } from './jobfile.ts';
import { takeLock } from './lock.ts';
import { writeWhole } from './wholefile.ts';

/** Finished runs of a job that are kept, with their ledgers. */
const keptRuns = 10;

/** The stage's name in the keys of a run's plan and ledger. */
export const LOCAL_STAGE = 'copy';

const END_FILE = 'end.json';
/** `20261127T005500Z-<uuid>`: sorts by time. */
const RUN = /^(\d{8}T\d{6}Z)-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** One run of a job, open until `finish` is called. */
export interface RunState {
  readonly directory: string;
  /** Names the run's throw-away objects. */
  readonly uid: string;
  /** Records how the run ended; the next call of the job is a new run. `end` is kept as JSON. */
  finish(end: object): Promise<void>;
  /** Lets the next process in. */
  close(): Promise<void>;
}

/**
 * Opens the state of a job and takes its lock: the run that was not finished, or a new one. `job` says what the job is,
 * as plain data; a directory belongs to one job.
 * @throws CliError when the directory belongs to another job, another process is in it, or it cannot be used.
 */
export async function openState(directory: string, job: object, anew: boolean): Promise<RunState> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const unlock = await takeLock(directory);
    try {
      await claimDirectory(directory, job);
      const runs = await listRuns(directory);
      // There is one at most: a run is begun only where none is open.
      const open = runs.findLast(({ ended }) => !ended);
      if (anew && open !== undefined) await endRun(open.directory, { result: 'Abandoned' });
      await removeOld(runs);
      const run = open === undefined || anew ? nameRun(directory, new Date()) : open;
      return { ...run, finish: (end) => endRun(run.directory, end), close: unlock };
    } catch (error) {
      await unlock();
      throw error;
    }
  } catch (error) {
    if (error instanceof CliError || !(error instanceof Error) || !('code' in error)) throw error;
    throw new CliError('State', `the state directory ${directory} cannot be used: ${String(error.code)}`, {
      cause: error,
    });
  }
}

export interface KnownRun {
  readonly directory: string;
  readonly uid: string;
  readonly ended: boolean;
}

/** The runs of a job, oldest first. */
export async function listRuns(directory: string): Promise<KnownRun[]> {
  const names = (await readdir(directory)).filter((name) => RUN.test(name)).toSorted();
  return Promise.all(
    names.map(async (name) => {
      const path = join(directory, name);
      return { directory: path, uid: RUN.exec(name)?.[2] ?? '', ended: await exists(join(path, END_FILE)) };
    }),
  );
}

function nameRun(directory: string, now: Date): { readonly directory: string; readonly uid: string } {
  const uid = randomUUID();
  const time = now.toISOString().replaceAll(/[-:]|\.\d+/g, '');
  return { directory: join(directory, `${time}-${uid}`), uid };
}

async function endRun(directory: string, end: object): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeWhole(join(directory, END_FILE), end);
}

async function removeOld(runs: readonly KnownRun[]): Promise<void> {
  const ended = runs.filter((run) => run.ended);
  for (const { directory } of ended.slice(0, Math.max(0, ended.length - keptRuns))) {
    await rm(directory, { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
