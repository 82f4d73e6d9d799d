import { WorkerApiError } from '../api/errors.ts';
import { attemptHead } from '../contract/attempthead.ts';
import type { WorkerEnvironment } from '../contract/environment.ts';
import { EXIT } from '../contract/exitcodes.ts';
import type { CopyResult, WorkerManifest } from '../contract/manifests.ts';
import { CredentialsError } from '../s3/credentials.ts';
import { S3Error } from '../s3/errors.ts';
import { NotGrown } from './growth.ts';
import { ListingStuck } from './list.ts';
import { PlanRefused, Unavailable, type CopyReason } from './problems.ts';
import type { StageEnd } from './stage.ts';

/** The last word of a copy worker: what it exits with and says. */
export interface Ending {
  readonly exitCode: number;
  readonly reason?: CopyReason | 'Error' | undefined;
  /** What, where, and what to do. */
  readonly message?: string | undefined;
  readonly result?: CopyResult | undefined;
}

/** Longest message of a manifest, in characters. */
const longestMessage = 1024;

/** Judges a stage that ended without an error. */
export function endOfStage(end: StageEnd, maxFailures: number): Ending {
  const { result } = end;
  if (!end.finished) {
    const done = result.copied + result.skipped + result.unchanged + result.failed;
    const message = `ended by SIGTERM after ${done} of ${result.planned} objects; the next worker goes on from the ledger`;
    return { exitCode: EXIT.terminated, message, result };
  }
  if (result.failed === 0) return { exitCode: EXIT.ok, message: end.message, result };
  const list = end.failures.join('; ');
  const count = `${result.failed} of ${result.planned} objects failed`;
  const moved = result.moved > 0 ? ` (${result.moved} sources were moved)` : '';
  if (result.failed <= maxFailures) {
    return { exitCode: EXIT.ok, reason: 'CopiedWithFailures', message: `${count}${moved}: ${list}`, result };
  }
  const message = `${count}${moved}, more than copy.maxFailures ${maxFailures}: ${list}`;
  return { exitCode: EXIT.tooManyFailures, reason: 'CopyFailed', message, result };
}

/** Credentials that were never there are a refusal of the plan; missing later, they may come back. */
const passingErrors = [Unavailable, S3Error, CredentialsError, WorkerApiError, ListingStuck];

/** Judges an error that ended the stage. */
export function endOfError(error: unknown, result: CopyResult | undefined): Ending {
  const message = error instanceof Error ? error.message : 'unknown failure';
  if (error instanceof PlanRefused) {
    const exitCode = error.reason === 'InvalidSpec' ? EXIT.misconfigured : EXIT.planRefused;
    return { exitCode, reason: error.reason, message, result };
  }
  if (error instanceof WorkerApiError && error.code === 'Refused' && !error.retryable) {
    return { exitCode: EXIT.notAdmitted, reason: 'Error', message, result };
  }
  if (error instanceof NotGrown) return { exitCode: EXIT.unavailable, reason: 'Error', message, result };
  const passing = passingErrors.some((kind) => error instanceof kind);
  if (passing) return { exitCode: EXIT.unavailable, reason: 'StoreUnavailable', message, result };
  return { exitCode: 1, reason: 'Error', message, result };
}

/** The worker's manifest for its ending. */
export function makeManifest(env: WorkerEnvironment, ending: Ending, startTime: Date): WorkerManifest {
  const { exitCode, reason, message, result } = ending;
  return {
    kind: 'worker',
    ...attemptHead(env),
    startTime: startTime.toISOString(),
    endTime: new Date().toISOString(),
    exit: { code: exitCode, started: true },
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message: message.slice(0, longestMessage) }),
    ...(result === undefined ? {} : { copy: result }),
  };
}
