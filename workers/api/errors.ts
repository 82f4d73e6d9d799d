/** What went wrong between a worker and the operator, or between a worker and a presigned URL. */
export type WorkerApiErrorCode =
  /** No complete answer in time. */
  | 'Timeout'
  /** No connection, or it broke. */
  | 'ConnectionFailed'
  /** The answer is not what the contract says. */
  | 'BadReply'
  /** The store says that a presigned URL is not valid (any more): ask for a new one. */
  | 'GrantRefused'
  /** The operator said no; `refusal` has its own code. */
  | 'Refused'
  /** The store said no, and not because of the URL; `refusal` has its own code. */
  | 'StoreRefused';

const refusals: ReadonlySet<WorkerApiErrorCode> = new Set(['Refused', 'StoreRefused']);

/**
 * A call that failed for good: after all tries, or because trying again cannot help. Messages name the host and what
 * was asked, never a URL (presigned URLs are secrets) and never the token.
 */
export class WorkerApiError extends Error {
  override readonly name = 'WorkerApiError';
  readonly code: WorkerApiErrorCode;
  /** HTTP status; 0 when there was none. */
  readonly status: number;
  /** The other side's own code of a refusal. */
  readonly refusal: string | undefined;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
  /** How long the other side asks to wait, in milliseconds. */
  readonly retryAfter: number | undefined;

  constructor(
    what: string,
    fault: {
      code: WorkerApiErrorCode;
      status?: number;
      detail: string;
      refusal?: string | undefined;
      retryAfter?: number | undefined;
      cause?: unknown;
    },
  ) {
    const status = fault.status ?? 0;
    super(`${what}: ${fault.detail}${status === 0 ? '' : ` (${status})`}`, { cause: fault.cause });
    this.code = fault.code;
    this.status = status;
    this.refusal = fault.refusal;
    this.retryAfter = fault.retryAfter;
    this.retryable =
      fault.code === 'Timeout' ||
      fault.code === 'ConnectionFailed' ||
      fault.code === 'BadReply' ||
      (refusals.has(fault.code) && (status === 408 || status === 409 || status === 429 || status >= 500));
  }
}
