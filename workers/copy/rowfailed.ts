/** One object cannot be copied, and trying again would not help. It counts towards maxFailures. */
export class RowFailed extends Error {
  override readonly name = 'RowFailed';
  /** `SourceChanged`, `DestinationExists`, `EtagMismatch`, `SizeMismatch`, or the store's own code. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
