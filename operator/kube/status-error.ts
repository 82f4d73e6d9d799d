/** Answers of the API server that are no success, as errors. Pure. */
import { KubeError, type StatusDetails } from './errors.ts';

/** Makes a KubeError of an answer that was no success: of its Status, if the body is one, else of the bare code. */
export function parseStatusError(
  httpStatus: number,
  body: string,
  retryAfter: string | string[] | undefined,
  now: Date,
): KubeError {
  const status = parseObject(body);
  const retryAfterMs = parseRetryAfterMs(retryAfter, now);
  if (status === undefined) return new KubeError({ status: httpStatus, retryAfterMs });
  return statusToError(status, httpStatus, retryAfterMs);
}

/** Makes a KubeError of a Status object, as the ERROR line of a watch carries one. */
export function statusToError(status: object, httpStatus = 500, retryAfterMs?: number): KubeError {
  const code = 'code' in status && typeof status.code === 'number' ? status.code : httpStatus;
  return new KubeError({
    status: code,
    reason: 'reason' in status && typeof status.reason === 'string' ? status.reason : '',
    message: 'message' in status && typeof status.message === 'string' ? status.message : '',
    details: 'details' in status && isDetails(status.details) ? status.details : {},
    retryAfterMs,
  });
}

/** Retry-After as seconds or as an HTTP date; undefined if it is neither. */
export function parseRetryAfterMs(value: string | string[] | undefined, now: Date): number | undefined {
  const text = Array.isArray(value) ? value[0] : value;
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text.trim())) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now.getTime());
}

function parseObject(body: string): object | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The server's own type: only the one field that code computes with is looked at. */
function isDetails(value: unknown): value is StatusDetails {
  if (typeof value !== 'object' || value === null) return false;
  if ('causes' in value && value.causes !== undefined && !Array.isArray(value.causes)) return false;
  return !('retryAfterSeconds' in value) || typeof value.retryAfterSeconds === 'number';
}
