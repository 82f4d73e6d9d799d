import { createHash } from 'node:crypto';
import type { PlanRow } from '../contract/copyplan.ts';
import { compareChecksums, wholeChecksums, type ChecksumAlgorithm } from '../s3/checksums.ts';
import { headObject, type ObjectHead } from '../s3/objects.ts';
import { sourceChanged } from './heads.ts';
import { hashObject } from './reread.ts';
import { RowFailed } from './rowfailed.ts';
import type { TransferContext } from './transfer.ts';

/** How far a stage's copies are verified beyond size and ETag. */
export type Verification =
  | { readonly kind: 'ETag' }
  | { readonly kind: 'Checksum' }
  /** `percent` of the objects are read again. */
  | { readonly kind: 'Sample'; readonly percent: number };

/** In the ledger, the name of a checksum that was not a store's word: both sides were read. */
export const READ_ALGORITHM = 'read-sha256';

/** What was found out about a source before it is copied. */
export interface SourceFacts {
  readonly head: ObjectHead | undefined;
  /** The algorithm to ask a server-side copy for, so that both sides have it in common. */
  readonly algorithm: ChecksumAlgorithm | undefined;
}

/** Looks at the source as far as the verification of its copy will need it. */
export async function lookAtSource(
  { job, ends, transfer }: TransferContext,
  row: PlanRow,
  signal: AbortSignal,
): Promise<SourceFacts> {
  if (job.verification.kind !== 'Checksum') return { head: undefined, algorithm: undefined };
  const { client, bucket } = ends.source;
  const head = await headObject(client, { bucket, key: row.source, checksums: true }, signal);
  const best = head === undefined ? undefined : wholeChecksums(head)[0]?.algorithm;
  const algorithm = transfer === 'ServerSide' && best !== 'md5' ? best : undefined;
  return { head, algorithm };
}

/** What is at a row's destination. */
export interface FinishedCopy {
  /** Empty when it is not known. */
  readonly etag: string;
  readonly source: SourceFacts;
}

/**
 * Verifies a finished copy as the stage asks. Returns the checksum that both sides were seen to have
 * (`algorithm:value`), or undefined where nothing more than size and ETag was asked for.
 * @throws RowFailed where the copy is not what its source is, or either changed meanwhile.
 */
export async function verifyCopy(
  context: TransferContext,
  row: PlanRow,
  copy: FinishedCopy,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { verification } = context.job;
  if (verification.kind === 'Checksum') return checkSums(context, row, copy, signal);
  const sampled = verification.kind === 'Sample' && isSampled(row.source, verification.percent);
  return sampled ? readAgain(context, row, copy.etag, signal) : undefined;
}

/** Whether an object belongs to the sample: the same ones every time, spread evenly over any set of keys. */
export function isSampled(key: string, percent: number): boolean {
  const place = createHash('sha256').update(key).digest().readUInt32BE(0);
  return place < (percent / 100) * 2 ** 32;
}

async function checkSums(
  context: TransferContext,
  row: PlanRow,
  { source }: FinishedCopy,
  signal: AbortSignal,
): Promise<string | undefined> {
  // Another pod of this worker may have moved it meanwhile; the copy was then verified by that one.
  if (source.head === undefined && context.job.mode === 'Move') return undefined;
  if (source.head === undefined || source.head.etag !== row.etag || source.head.size !== row.size)
    throw sourceChanged();
  const { client, bucket } = context.ends.destination;
  const head = await headObject(client, { bucket, key: row.destination, checksums: true }, signal);
  if (head === undefined)
    throw new RowFailed('CopyMissing', 'the store reported success, but there is no copy');
  const shared = compareChecksums(source.head, head);
  // No common checksum: a multipart object, a store without them, a KMS key. Only reading tells.
  if (shared === undefined) return readAgain(context, row, head.etag, signal);
  if (!shared.equal) {
    throw new RowFailed(
      'ChecksumMismatch',
      `the copy's ${shared.algorithm} checksum is not that of its source`,
    );
  }
  return `${shared.algorithm}:${shared.value}`;
}

async function readAgain(
  { ends }: TransferContext,
  row: PlanRow,
  etag: string,
  signal: AbortSignal,
): Promise<string> {
  const { size } = row;
  const [source, copy] = await Promise.all([
    hashObject({ ...ends.source, key: row.source, etag: row.etag, size }, signal),
    hashObject({ ...ends.destination, key: row.destination, etag, size }, signal),
  ]);
  if (source !== copy)
    throw new RowFailed('ContentMismatch', 'the copy does not have the bytes of its source');
  return `${READ_ALGORITHM}:${source}`;
}
