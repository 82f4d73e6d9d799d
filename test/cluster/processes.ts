import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { membershipFile } from './cgroups.ts';
import { type ProcessIdentity, identify, isAlive } from './identity.ts';

export interface ProcessSpec {
  /** Names its log and its record. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** On top of the environment of the caller. */
  readonly env?: Readonly<Record<string, string>>;
  /** Cgroup it and all its children belong to; reaping goes by that. */
  readonly cgroup: string;
}

/**
 * Joins the cgroup before it becomes the program: whatever kills the starter at whatever moment, the process is
 * either not there or can be found.
 */
const joinThenBecome = 'echo $$ > "$0" && exec "$@"';

const recordFile = (directory: string, name: string): string => join(directory, 'processes', `${name}.json`);

/** Starts a program that outlives its starter. Its words go to `logs/<name>.log`, its identity is recorded. */
export function startProcess(directory: string, spec: ProcessSpec): ProcessIdentity {
  for (const folder of ['logs', 'processes']) mkdirSync(join(directory, folder), { recursive: true });
  const log = openSync(join(directory, 'logs', `${spec.name}.log`), 'a');
  try {
    const child = spawn(
      '/bin/sh',
      ['-c', joinThenBecome, membershipFile(spec.cgroup), spec.command, ...spec.args],
      {
        detached: true,
        stdio: ['ignore', log, log],
        env: { ...process.env, ...spec.env },
      },
    );
    child.on('error', () => {}); // shows as a process that is not there
    child.unref();
    const identity = child.pid === undefined ? undefined : identify(child.pid);
    if (identity === undefined) throw new Error(`${spec.command} did not start; see ${spec.name}.log`);
    writeFileSync(recordFile(directory, spec.name), JSON.stringify(identity));
    return identity;
  } finally {
    closeSync(log);
  }
}

/** The recorded process of this name, if it is still running. */
export function runningProcess(directory: string, name: string): ProcessIdentity | undefined {
  try {
    const identity: ProcessIdentity = JSON.parse(readFileSync(recordFile(directory, name), 'utf8'));
    return isAlive(identity) ? identity : undefined;
  } catch {
    return undefined;
  }
}

/** The last lines a process wrote, for error messages. */
export function lastWords(directory: string, name: string, lines = 8): string {
  try {
    return readFileSync(join(directory, 'logs', `${name}.log`), 'utf8')
      .trim()
      .split('\n')
      .slice(-lines)
      .join('\n');
  } catch {
    return '(nothing written)';
  }
}
