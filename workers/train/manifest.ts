import { createHash } from 'node:crypto';
import type { StageReason } from '../../operator/api/reasons.ts';
import { attemptHead } from '../contract/attempthead.ts';
import type { WorkerEnvironment } from '../contract/environment.ts';
import { EXIT } from '../contract/exitcodes.ts';
import { outputsKey } from '../contract/keys.ts';
import type { OutputsManifest, WorkerManifest } from '../contract/manifests.ts';
import type { Failure } from './failure.ts';
import type { CommandEnd } from './listener.ts';

/** How a worker ended, whoever is to blame. `reason` is left out where only the operator knows it. */
export interface Ending {
  readonly exitCode: number;
  readonly reason?: StageReason | undefined;
  readonly message?: string | undefined;
}

/**
 * What the end of the command means, before its outputs are looked at. Undefined: it succeeded. A command that did
 * without a process that the kernel killed for lack of memory succeeded, too.
 */
export function judgeCommand(end: CommandEnd): Failure | undefined {
  const oomKills = end.kind === 'exited' ? (end.record.oomKills ?? 0) : 0;
  const failed = (what: string): Failure => {
    const exitCode = EXIT.commandFailed;
    if (oomKills === 0) return { exitCode, reason: 'Error', message: what };
    const victims = oomKills === 1 ? 'one process' : `${oomKills} processes`;
    const message = `${what}; the kernel killed ${victims} for lack of memory: give the stage more`;
    return { exitCode, reason: 'OOMKilled', message };
  };
  if (end.kind === 'killed')
    return failed('the main container was killed as a whole, so how the command ended is not known');
  const { started, code, signal, message } = end.record;
  if (!started) return failed(message ?? 'the command could not be started');
  if (signal !== undefined) return failed(`the command was killed by ${signal}`);
  if (code !== 0) return failed(`the command ended with exit code ${code}`);
  return undefined;
}

/** `exit` of worker.json. */
function exitOf(end: CommandEnd | undefined): WorkerManifest['exit'] {
  if (end === undefined) return { code: null, started: false };
  if (end.kind === 'killed') return { code: null, started: end.startTime !== undefined };
  const { code, signal, started, oomKills } = end.record;
  return {
    code: started ? code : null,
    started,
    ...(signal === undefined ? {} : { signal }),
    ...(oomKills === undefined ? {} : { oomKills }),
  };
}

/** worker.json. Times are the command's own where they are known. */
export function makeManifest(
  env: WorkerEnvironment,
  end: CommandEnd | undefined,
  ending: Ending,
  outputs: { manifest: OutputsManifest; bytes: Uint8Array } | undefined,
  agent: { startTime: Date; endTime: Date },
): WorkerManifest {
  const record = end?.kind === 'exited' ? end.record : undefined;
  const begun = record?.startTime ?? (end?.kind === 'killed' ? end.startTime : undefined);
  const { reason, message } = ending;
  return {
    kind: 'worker',
    ...attemptHead(env),
    startTime: begun ?? agent.startTime.toISOString(),
    endTime: record?.endTime ?? agent.endTime.toISOString(),
    exit: exitOf(end),
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message: message.slice(0, 1024) }),
    ...(outputs === undefined ? {} : { outputs: summarise(env, outputs) }),
  };
}

function summarise(
  env: WorkerEnvironment,
  { manifest, bytes }: { manifest: OutputsManifest; bytes: Uint8Array },
): WorkerManifest['outputs'] {
  return {
    files: manifest.files.length,
    bytes: manifest.files.reduce((sum, file) => sum + file.size, 0),
    key: outputsKey(env),
    sha256: sha256(bytes),
  };
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
