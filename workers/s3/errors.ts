import { printableKey } from './encode.ts';
import { elementText } from './xml.ts';

/** What may be done about a failed request. See retry.ts for who is what. */
export type RetryClass = 'throttle' | 'transient' | 'permanent' | 'fatal';

/** Where a request went, for messages. */
export interface S3Target {
  readonly operation: string;
  readonly bucket: string;
  readonly key?: string | undefined;
}

/**
 * A request that the store refused, or that never got a whole answer. The message names operation, bucket and key
 * (escaped); headers, signatures and URLs are never part of it.
 */
export class S3Error extends Error {
  override readonly name = 'S3Error';
  /** The store's own code (`NoSuchBucket`), or one of ours: `Timeout`, `ConnectionFailed`, `BadResponse`,
   * `PrefixIgnored`, `Redirect`. */
  readonly code: string;
  /** HTTP status; 0 when there was none. */
  readonly status: number;
  readonly operation: string;
  readonly bucket: string;
  readonly key: string | undefined;
  readonly retryClass: RetryClass;
  /** Whether an earlier attempt of the same request may have been done without our knowing. */
  afterUnknown = false;
  /** How long the store asks to wait, in milliseconds. */
  readonly retryAfter: number | undefined;

  constructor(
    target: S3Target,
    fault: { code: string; status: number; detail: string; retryAfter?: number | undefined; cause?: unknown },
  ) {
    const where = target.key === undefined ? target.bucket : `${target.bucket} ${printableKey(target.key)}`;
    const detail = fault.detail === '' ? '' : `: ${fault.detail}`;
    const status = fault.status === 0 ? '' : ` (${fault.status})`;
    super(`${target.operation} ${where}: ${fault.code}${status}${detail}`, { cause: fault.cause });
    this.code = fault.code;
    this.status = fault.status;
    this.operation = target.operation;
    this.bucket = target.bucket;
    this.key = target.key;
    this.retryAfter = fault.retryAfter;
    this.retryClass = classify(fault.code, fault.status);
  }
}

const throttleCodes = new Set([
  'SlowDown',
  'SlowDownRead',
  'SlowDownWrite',
  'ServiceUnavailable',
  'RequestThrottled',
  'RequestThrottledException',
  'Throttling',
  'ThrottlingException',
  'RequestLimitExceeded',
  'TooManyRequests',
  'BandwidthLimitExceeded',
]);
const transientCodes = new Set([
  'BadResponse',
  'ConditionalRequestConflict',
  'ConnectionFailed',
  'InternalError',
  'OperationAborted',
  'RequestTimeout',
  'Timeout',
]);
const fatalCodes = new Set([
  'AccessDenied',
  'AccountProblem',
  'AuthorizationHeaderMalformed',
  'CredentialsMissing',
  'ExpiredToken',
  'InvalidAccessKeyId',
  'InvalidToken',
  'NoSuchBucket',
  'Redirect',
  'RequestTimeTooSkewed',
  'SignatureDoesNotMatch',
  'XAdminUserNotFound',
]);
/** Final even when they come inside a 200. */
const permanentCodes = new Set([
  'EntityTooLarge',
  'EntityTooSmall',
  'InvalidArgument',
  'InvalidPart',
  'InvalidPartOrder',
  'InvalidRequest',
  'NoSuchKey',
  'NoSuchUpload',
  'NoSuchVersion',
  'NotImplemented',
  'PreconditionFailed',
  'PrefixIgnored',
]);

/**
 * Throttle and transient faults pass by themselves; permanent ones belong to one key; fatal ones meet every request
 * of the run alike. (A single AccessDenied may belong to one key's policy: the caller decides after the first success.)
 */
export function classify(code: string, status: number): RetryClass {
  if (throttleCodes.has(code) || status === 429) return 'throttle';
  if (fatalCodes.has(code)) return 'fatal';
  if (permanentCodes.has(code) || status === 501) return 'permanent';
  // An error that hides in a success says nothing by its status; unknown ones are tried again.
  const serverSide = status === 408 || status >= 500 || (status >= 200 && status < 300);
  return transientCodes.has(code) || serverSide ? 'transient' : 'permanent';
}

/** Codes for answers without a body (HEAD) or without XML. */
const codeOfStatus: Readonly<Record<number, string>> = {
  301: 'Redirect',
  302: 'Redirect',
  307: 'Redirect',
  308: 'Redirect',
  400: 'BadRequest',
  401: 'AccessDenied',
  403: 'AccessDenied',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  409: 'Conflict',
  411: 'MissingContentLength',
  412: 'PreconditionFailed',
  416: 'InvalidRange',
  429: 'TooManyRequests',
  500: 'InternalError',
  501: 'NotImplemented',
  503: 'SlowDown',
};

/** Makes the error for an answer with status `status`, whose body may hold `<Error><Code>…</Code>`. */
export function errorFromResponse(
  target: S3Target,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string,
): S3Error {
  const redirected = status >= 300 && status < 400 && status !== 304;
  const said = body.includes('<Error') ? elementText(body, 'Code') : undefined;
  const code = redirected ? 'Redirect' : said !== undefined && said !== '' ? said : codeOfStatus[status];
  const detail = redirected
    ? 'the endpoint answered with a redirect, which is refused; set the endpoint and region that own the bucket'
    : sayPrintable(elementText(body, 'Message') ?? '');
  const seconds = Number(headers['retry-after']);
  return new S3Error(target, {
    code: code ?? `Http${status}`,
    status,
    detail,
    retryAfter: Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 60) * 1000 : undefined,
  });
}

/** Turns an answer that cannot be what the operation promised into an error that is tried again. */
export function badResponse(target: S3Target, status: number, detail: string): S3Error {
  return new S3Error(target, { code: 'BadResponse', status, detail });
}

function sayPrintable(text: string): string {
  return text.replace(/[^\u0020-\u007e\u00a1-\ud7ff]/g, ' ').slice(0, 200);
}
