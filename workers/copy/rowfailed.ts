/** One object cannot be copied, and trying again would not help. It counts towards maxFailures. */
export class RowFailed extends Error {
  override readonly name = 'RowFailed';
  /**
   * The store's own code, or one of ours. Source: `SourceChanged`. Destination, not ours: `DestinationExists` before the
   * copy, `CopyReplaced` after it. The copy: `CopyMissing`, `SizeMismatch`, `EtagMismatch`, `ChecksumMismatch`,
   * `ContentMismatch`. Either, while it was read again: `ObjectChanged`.
   */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
