/** Refusals of the results API, once each. */
const RESULTS_REFUSALS = {
  BadRequest: { status: 400, message: 'The request is not what this route takes.' },
  ForeignHost: { status: 403, message: 'This server is for loopback addresses only.' },
  NotFound: { status: 404, message: 'There is no such run.' },
  NoRoute: { status: 404, message: 'There is no such route.' },
  NoLedger: { status: 404, message: 'This stage has no such plan or ledger.' },
  NoLogs: { status: 404, message: 'No log fits:' },
  TooManyLogs: { status: 400, message: 'Too many logs to merge; choose a stage, a worker or a container.' },
  Starting: { status: 503, message: 'The index is not open yet; try again.' },
  StoreUnavailable: { status: 503, message: 'The results store cannot be reached at the moment.' },
  Internal: { status: 500, message: 'The operator failed; its log says why.' },
} as const satisfies Record<string, { status: number; message: string }>;

export type ResultsRefusal = keyof typeof RESULTS_REFUSALS;

export class ResultsApiError extends Error {
  override readonly name = 'ResultsApiError';
  readonly code: ResultsRefusal;
  readonly status: number;

  constructor(code: ResultsRefusal, options: { detail?: string; cause?: unknown } = {}) {
    const { status, message } = RESULTS_REFUSALS[code];
    super(options.detail === undefined ? message : `${message} ${options.detail}`, { cause: options.cause });
    this.code = code;
    this.status = status;
  }
}
