/** Something the user can act on: what is wrong, and the command to type next. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly code: string;
  /** A whole command line, where there is one. */
  readonly next: string | undefined;

  constructor(code: string, message: string, options: { next?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.next = options.next;
  }
}
