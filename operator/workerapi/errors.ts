/**
 * Every refusal of the worker API, once: its stable code, its HTTP status and its sentence. Codes are for programs;
 * sentences never hold anything from a token or a URL.
 */
export const REFUSALS = {
  Unauthenticated: { status: 401, message: 'Send the projected token of a pod of a run as a bearer token.' },
  NotAWorker: { status: 403, message: 'The token does not belong to a living pod of a stage of a run.' },
  Fenced: {
    status: 403,
    message: 'The operator has given this pod up; another one may have taken its place.',
  },
  ReviewUnavailable: { status: 503, message: 'The token cannot be checked at the moment; try again.' },
  StoreUnavailable: { status: 503, message: 'The results store cannot be reached at the moment; try again.' },
  NotGranted: { status: 403, message: 'This worker may not use that key.' },
  BadRequest: { status: 400, message: 'The request is not what this route takes.' },
  TooLarge: { status: 413, message: 'The body is too large.' },
  TooManyRequests: { status: 429, message: 'This worker asks too often; wait a little.' },
  ManifestMissing: { status: 409, message: 'worker.json is not in the results store.' },
  ManifestDiffers: {
    status: 409,
    message: 'worker.json in the results store is not the one that was reported.',
  },
  ManifestForeign: { status: 409, message: 'worker.json is malformed or about another worker.' },
  RunSuspended: { status: 409, message: 'The run is suspended; ask again when it goes on.' },
  AttemptUnknown: { status: 503, message: 'The operator has not noted this attempt yet; ask again.' },
  NotFound: { status: 404, message: 'There is no such route.' },
  Internal: { status: 500, message: 'The operator failed; try again.' },
} as const satisfies Record<string, { status: number; message: string }>;

export type RefusalCode = keyof typeof REFUSALS;

export class CallRefused extends Error {
  override readonly name = 'CallRefused';
  readonly code: RefusalCode;
  readonly status: number;

  /** `detail` is added to the sentence of the list; it must not hold a secret. */
  constructor(code: RefusalCode, options: { detail?: string; cause?: unknown } = {}) {
    const { status, message } = REFUSALS[code];
    super(options.detail === undefined ? message : `${message} ${options.detail}`, { cause: options.cause });
    this.code = code;
    this.status = status;
  }
}
