/** One cause inside a Status, as validation errors list them. */
export interface StatusCause {
  reason?: string;
  message?: string;
  field?: string;
}

/** What the server says about the object an error is about. */
export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}

/**
 * An answer of the API server other than success. Its message holds the server's own message (cut to 1 kB), never
 * headers, URLs with tokens or request bodies.
 */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  /** Stable code of this class. */
  readonly code = 'KUBE_STATUS';
  /** HTTP status, or the `code` of a Status that came inside a watch. */
  readonly status: number;
  /** The Status reason, such as `NotFound`; empty when the answer was no Status. */
  readonly reason: string;
  readonly details: StatusDetails;
  /** What the server asked us to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(init: {
    status: number;
    reason?: string;
    message?: string;
    details?: StatusDetails;
    retryAfterMs?: number;
  }) {
    const reason = init.reason ?? '';
    const text = (init.message ?? '').slice(0, 1024);
    super(text === '' ? `the API server answered ${init.status} ${reason}`.trimEnd() : text);
    this.status = init.status;
    this.reason = reason;
    this.details = init.details ?? {};
    this.retryAfterMs =
      init.retryAfterMs ??
      (this.details.retryAfterSeconds === undefined ? undefined : this.details.retryAfterSeconds * 1000);
  }
}

/** A call got no answer within its deadline. */
export class KubeTimeoutError extends Error {
  override readonly name = 'KubeTimeoutError';
  readonly code = 'KUBE_TIMEOUT';
}

/** No answer, or a broken one: connection refused, reset, closed, half a body, not JSON. `cause` has the original. */
export class KubeConnectionError extends Error {
  override readonly name = 'KubeConnectionError';
  readonly code = 'KUBE_CONNECTION';
  /** True when the request surely never reached the server, so even a create may be sent again. */
  readonly unsent: boolean;

  constructor(message: string, options: { cause?: unknown; unsent?: boolean } = {}) {
    super(message, { cause: options.cause });
    this.unsent = options.unsent ?? false;
  }
}

function hasStatus(error: unknown, status: number, ...reasons: string[]): boolean {
  if (!(error instanceof KubeError)) return false;
  return error.reason === '' || reasons.length === 0
    ? error.status === status
    : reasons.includes(error.reason);
}

export function isNotFound(error: unknown): boolean {
  return hasStatus(error, 404, 'NotFound');
}

/** Somebody else wrote first: the object's resourceVersion (or the field's manager) is not what we said. */
export function isConflict(error: unknown): boolean {
  return hasStatus(error, 409, 'Conflict');
}

export function isAlreadyExists(error: unknown): boolean {
  return hasStatus(error, 409, 'AlreadyExists');
}

/** The resource version is too old (410): list again. */
export function isExpired(error: unknown): boolean {
  return hasStatus(error, 410, 'Expired', 'Gone');
}

/** The resource version is from the future, as seen by a server whose cache lags or was restored. */
export function isTooLargeResourceVersion(error: unknown): boolean {
  if (!(error instanceof KubeError) || error.status !== 504) return false;
  return (
    error.details.causes?.some((cause) => cause.reason === 'ResourceVersionTooLarge') === true ||
    error.message.includes('Too large resource version')
  );
}

/** The object was refused by validation (422). */
export function isInvalid(error: unknown): boolean {
  return hasStatus(error, 422, 'Invalid');
}

/** Worth another try later: no answer, a timeout, 429 or 5xx. */
export function isTransient(error: unknown): boolean {
  if (error instanceof KubeConnectionError || error instanceof KubeTimeoutError) return true;
  return error instanceof KubeError && (error.status === 429 || error.status >= 500);
}
