/** The results store refused, or could not be reached. `code` is the store's own word (`AccessDenied`, `NoSuchBucket`). */
export class ResultsError extends Error {
  override readonly name = 'ResultsError';
  readonly code: string;
  /** Whether it may pass by itself. */
  readonly transient: boolean;

  constructor(message: string, options: { code: string; transient: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.code = options.code;
    this.transient = options.transient;
  }
}
