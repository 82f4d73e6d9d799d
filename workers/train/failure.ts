import type { StageReason } from '../../operator/api/reasons.ts';
import { WorkerApiError } from '../api/errors.ts';
import { EXIT } from '../contract/exitcodes.ts';
import { CredentialsError } from '../s3/credentials.ts';
import { S3Error } from '../s3/errors.ts';
import { isRetryable } from '../s3/retry.ts';

/** How a worker of ours failed: what it exits with, and what the stage is told. */
export interface Failure {
  readonly exitCode: number;
  readonly reason: StageReason;
  /** What, where, and what to do. */
  readonly message: string;
}

/** A failure that is known where it happens. */
export class WorkerFailure extends Error implements Failure {
  override readonly name = 'WorkerFailure';
  readonly code = 'WorkerFailure';
  readonly exitCode: number;
  readonly reason: StageReason;

  constructor(exitCode: number, reason: StageReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
    this.reason = reason;
  }
}

/** SIGTERM came before the work was whole. Why the pod had to go, the operator knows. */
export class Terminated extends Error {
  override readonly name = 'Terminated';
  readonly code = 'Terminated';
}

/** Judges any error of a transfer; `otherwise` is what it is when neither store nor operator is to blame. */
export function failureOf(error: unknown, otherwise: { exitCode: number; reason: StageReason }): Failure {
  if (error instanceof WorkerFailure) {
    const { exitCode, reason, message } = error;
    return { exitCode, reason, message };
  }
  const message = error instanceof Error ? error.message : 'unknown failure';
  if (error instanceof CredentialsError) return { ...otherwise, reason: 'StoreUnavailable', message };
  if (error instanceof S3Error) {
    if (isRetryable(error)) return { exitCode: EXIT.unavailable, reason: 'StoreUnavailable', message };
    if (error.code === 'NoSuchBucket') {
      const hint = `bucket ${error.bucket} does not exist in its store: create it, or correct the bucket`;
      return { ...otherwise, message: `${hint} (${message})` };
    }
    if (error.retryClass === 'fatal') {
      const hint = `${message}: the store refuses; look at the Secret, the endpoint and the rights on the bucket`;
      return { ...otherwise, reason: 'StoreUnavailable', message: hint };
    }
    return { ...otherwise, message };
  }
  if (error instanceof WorkerApiError) {
    if (error.code === 'StoreRefused' || error.code === 'GrantRefused') {
      const hint = `${message}: whoever runs Ebbflow has to look at the results bucket and the operator's rights on it`;
      return { exitCode: EXIT.unavailable, reason: 'StoreUnavailable', message: hint };
    }
    const fenced = error.code === 'Refused' && error.status >= 400 && error.status < 500 && !error.retryable;
    return fenced
      ? { exitCode: EXIT.notAdmitted, reason: 'Error', message: `the operator refused: ${message}` }
      : { exitCode: EXIT.unavailable, reason: otherwise.reason, message };
  }
  return { ...otherwise, message };
}
