import { createHash } from 'node:crypto';
import type { PlanIndex, PlanRow } from '../contract/copyplan.ts';
import { hasMd5Etag, isPlainEtag, type ChecksumAlgorithm } from '../s3/checksums.ts';
import { copyObject } from '../s3/copies.ts';
import { S3Error } from '../s3/errors.ts';
import { getObject, putObject, type ObjectHead } from '../s3/objects.ts';
import { getTagging } from '../s3/tagging.ts';
import type { ByteBudget } from './budget.ts';
import { headDestination, headSource, sourceChanged } from './heads.ts';
import type { CopyJob } from './job.ts';
import { judgeOccupant } from './occupied.ts';
import { carriedAttributes, copyInParts, type Ends } from './parts.ts';
import { RowFailed } from './rowfailed.ts';
import { isIdentical } from './samebytes.ts';

/** What is the same for every row of a stage. */
export interface TransferContext {
  readonly job: CopyJob;
  readonly ends: Ends;
  readonly guards: PlanIndex['guards'];
  readonly transfer: PlanIndex['transfer'];
  /** When the plan was made: nothing of ours at the destination is older. */
  readonly plannedAt: Date;
  /** What all streamed objects under way may hold in memory. */
  readonly budget: ByteBudget;
}

/** Streamed objects up to this size go in one piece, held in memory. Bytes. */
const STREAM_WHOLE = 16 * 1024 ** 2;

/** Whether a row is too large for one request. */
export function isCopiedInParts(
  {
    job,
    transfer,
  }: { readonly job: Pick<CopyJob, 'multipartThreshold'> } & Pick<TransferContext, 'transfer'>,
  { size }: Pick<PlanRow, 'size'>,
): boolean {
  return size > (transfer === 'Stream' ? STREAM_WHOLE : job.multipartThreshold);
}

export interface CopyOptions {
  /** An earlier try may have made this copy already. */
  readonly mayBeDone: boolean;
  /** A checksum that a server-side copy is to have. */
  readonly checksum?: ChecksumAlgorithm | undefined;
  /** Told the bytes of every part that is done. */
  readonly onPart?: ((bytes: number) => void) | undefined;
}

/**
 * Copies one row and returns the copy's ETag after it was verified. The source is pinned to what was planned.
 * @throws RowFailed for this object alone; S3Error when the store goes on failing.
 */
export async function copyRow(
  context: TransferContext,
  row: PlanRow,
  options: CopyOptions,
  signal: AbortSignal,
): Promise<string> {
  const there = options.mayBeDone
    ? await headDestination(context, row, { checksums: true }, signal)
    : undefined;
  if (there !== undefined) {
    const known = await judgeOccupant(context, row, { there, mayBeOurs: true }, signal);
    if (known !== undefined) return known;
  }
  try {
    const how = { ...options, mayBeDone: there !== undefined };
    return await checkEtag(context, row, await send(context, row, how, signal), signal);
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    const conflict = error.status === 412 || error.code === 'PreconditionFailed';
    if (conflict || error.code === 'NoSuchUpload') {
      // Without a lost answer, what is there by now cannot come from this worker.
      const mayBeDone = options.mayBeDone || error.afterUnknown;
      return resolveConflict(context, row, { ...options, mayBeDone }, signal);
    }
    if (error.code === 'NoSuchKey' || error.code === 'NotFound') {
      // In mode Move another pod of the same worker may have copied and deleted it.
      const head = await headDestination(context, row, { checksums: false }, signal);
      if (head !== undefined && isIdentical(row, head)) return head.etag;
      throw sourceChanged();
    }
    throw error;
  }
}

/** Where the pin is ignored, parts are of one content only if the source stood still from before the first to after the last. */
async function requireUntouched(
  context: TransferContext,
  row: PlanRow,
  before: ObjectHead,
  signal: AbortSignal,
): Promise<void> {
  const after = await headSource(context, row, { checksums: false }, signal);
  // Written anew with other content and then with the old one again, it has the ETag that it had.
  if (after.headers['last-modified'] !== before.headers['last-modified']) throw sourceChanged();
}

/** Sends the copy by the way that fits its size and stores. */
async function send(
  context: TransferContext,
  row: PlanRow,
  { mayBeDone, checksum, onPart }: CopyOptions,
  signal: AbortSignal,
): Promise<string> {
  const fresh = !mayBeDone;
  const { job, ends, guards, transfer, budget } = context;
  const { bucket } = ends.destination;
  const guarded = fresh && job.onExisting !== 'Overwrite';
  if (isCopiedInParts(context, row)) {
    const head = await headSource(context, row, { checksums: false }, signal);
    const createOnly = guarded && guards.completeCreateOnly;
    const how = { head, transfer, threshold: job.multipartThreshold, checksum, budget, createOnly, onPart };
    if (transfer === 'Stream' || guards.sourcePinned) return copyInParts(ends, row, how, signal);
    const confirm = (): Promise<void> => requireUntouched(context, row, head, signal);
    return copyInParts(ends, row, { ...how, confirm }, signal);
  }
  if (transfer === 'Stream') {
    const createOnly = guarded && guards.putCreateOnly;
    return budget.hold(row.size, () => streamObject(context, row, createOnly, signal), signal);
  }
  const source = { bucket: ends.source.bucket, key: row.source, etag: row.etag };
  const what = {
    source,
    size: row.size,
    bucket,
    key: row.destination,
    guard: { createOnly: guarded && guards.createOnly },
    storageClass: row.storageClass,
    checksum,
  };
  const etag = await copyObject(ends.destination.client, what, signal);
  // Where the pin is ignored, an equal ETag proves what was copied; where ETags cannot be compared, ask afterwards.
  if (!guards.sourcePinned && etag !== row.etag) await headSource(context, row, { checksums: false }, signal);
  return etag;
}

async function streamObject(
  context: TransferContext,
  row: PlanRow,
  createOnly: boolean,
  signal: AbortSignal,
): Promise<string> {
  const { source, destination } = context.ends;
  const headers = carriedAttributes(await headSource(context, row, { checksums: false }, signal));
  const from = { bucket: source.bucket, key: row.source };
  const tagging = await getTagging(source.client, from, signal);
  if (tagging !== '') headers['x-amz-tagging'] = tagging;
  const body = await getObject(source.client, { ...from, ifMatch: row.etag }, signal);
  if (body?.length !== row.size) throw sourceChanged();
  const to = { bucket: destination.bucket, key: row.destination };
  const contentMd5 = createHash('md5').update(body).digest('base64');
  return putObject(destination.client, { ...to, body, headers, createOnly, contentMd5 }, signal);
}

/** Checks the copy's ETag; where ETags cannot be compared, its size, and that it is still the copy. */
async function checkEtag(
  context: TransferContext,
  row: PlanRow,
  etag: string,
  signal: AbortSignal,
): Promise<string> {
  if (etag === row.etag) return etag;
  const head = await headDestination(context, row, { checksums: false }, signal);
  if (head === undefined)
    throw new RowFailed('CopyMissing', 'the store reported success, but there is no copy');
  if (head.etag !== etag) {
    throw new RowFailed(
      'CopyReplaced',
      `the destination has ETag ${head.etag} instead of the copy's ${etag}: somebody else wrote to its key`,
    );
  }
  if (head.size !== row.size) {
    throw new RowFailed('SizeMismatch', `the copy has ${head.size} bytes instead of ${row.size}`);
  }
  // The listing does not say whether the source's ETag is an MD5 sum, or only looks like one.
  const perhaps = isPlainEtag(row.etag) && isPlainEtag(etag) && hasMd5Etag(head);
  if (perhaps && hasMd5Etag(await headSource(context, row, { checksums: false }, signal)))
    throw new RowFailed('EtagMismatch', `the copy has ETag ${etag} instead of ${row.etag}`);
  return etag;
}

/**
 * A condition failed: either the source changed, or something is at the destination. That may be our own copy, whose
 * reply was lost.
 */
async function resolveConflict(
  context: TransferContext,
  row: PlanRow,
  options: CopyOptions,
  signal: AbortSignal,
): Promise<string> {
  const there = await headDestination(context, row, { checksums: true }, signal);
  const known = await judgeOccupant(context, row, { there, mayBeOurs: options.mayBeDone }, signal);
  if (known !== undefined) return known;
  // Gone again, or perhaps ours: writing the pinned source again makes it right.
  const how = { ...options, mayBeDone: there !== undefined };
  return checkEtag(context, row, await send(context, row, how, signal), signal);
}
