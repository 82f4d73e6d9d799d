import type { LedgerRow } from '../contract/ledger.ts';
import { isEncryptedByKey, isPlainEtag, wholeChecksums } from '../s3/checksums.ts';
import { headObject, type ObjectHead } from '../s3/objects.ts';
import { compareHead } from './heads.ts';
import type { Ends } from './parts.ts';
import { hashObject } from './reread.ts';
import { RowFailed } from './rowfailed.ts';
import { isSampled, READ_ALGORITHM } from './verify.ts';

/** How closely a copy is looked at, long after it was made. Each level includes the ones before it. */
export type VerifyLevel =
  /** It is there, with the size and ETag of the ledger. */
  | { readonly kind: 'Size' }
  /** The checksum that the ledger or the source has is its own as well. */
  | { readonly kind: 'Checksum' }
  /** So many per cent of the objects are read, and their bytes compared. */
  | { readonly kind: 'Sample'; readonly percent: number };

/**
 * - `Same`: as the ledger says. `Different`: not, and why.
 * - `Unproved`: size and ETag are right, but there is nothing to tell its bytes by any more.
 */
export type VerifyResult =
  | { readonly kind: 'Same' | 'Unproved' }
  | { readonly kind: 'Different'; readonly why: string };

const same: VerifyResult = { kind: 'Same' };
const unproved: VerifyResult = { kind: 'Unproved' };

/** Compares what is at a row's destination with what the ledger says. @throws S3Error when a store goes on failing. */
export async function verifyRow(
  ends: Ends,
  row: LedgerRow,
  level: VerifyLevel,
  signal: AbortSignal,
): Promise<VerifyResult> {
  const { client, bucket } = ends.destination;
  const checksums = level.kind === 'Checksum';
  const head = await headObject(client, { bucket, key: row.destination, checksums }, signal);
  const wrong = compareHead(row, head);
  if (head === undefined || wrong !== undefined) return different(wrong ?? 'it is gone');
  try {
    if (level.kind === 'Checksum') return await verifyChecksum(ends, row, head, signal);
    const sampled = level.kind === 'Sample' && isSampled(row.source, level.percent);
    return sampled ? await verifyBytes(ends, row, head, signal) : same;
  } catch (error) {
    if (error instanceof RowFailed) return different(error.message);
    throw error;
  }
}

async function verifyChecksum(
  ends: Ends,
  row: LedgerRow,
  head: ObjectHead,
  signal: AbortSignal,
): Promise<VerifyResult> {
  const { algorithm, value } = parseChecksum(row);
  const stated = wholeChecksums(head).find((one) => one.algorithm === algorithm);
  if (stated !== undefined) {
    return stated.value === value
      ? same
      : different(`its ${algorithm} checksum is not the one that was copied`);
  }
  return verifyBytes(ends, row, head, signal);
}

/** Reads the copy, and its source where nothing else says what its bytes were. */
async function verifyBytes(
  ends: Ends,
  row: LedgerRow,
  head: ObjectHead,
  signal: AbortSignal,
): Promise<VerifyResult> {
  const { algorithm, value } = parseChecksum(row);
  const copy = { ...ends.destination, key: row.destination, etag: head.etag, size: row.size };
  // The ETag that the ledger has, and an MD5 sum: then the copy alone says whether it has its bytes.
  const plain = isPlainEtag(head.etag) && head.etag === row.destinationEtag && !isEncryptedByKey(head);
  if (algorithm !== READ_ALGORITHM && plain) {
    const md5 = await hashObject(copy, signal, 'md5');
    return md5 === Buffer.from(head.etag, 'hex').toString('base64')
      ? same
      : different('its bytes are others');
  }
  const expected = algorithm === READ_ALGORITHM ? value : await hashSource(ends, row, signal);
  if (expected === undefined) return unproved;
  return (await hashObject(copy, signal)) === expected ? same : different('its bytes are others');
}

/** Undefined when the source is no longer what was copied. */
async function hashSource(ends: Ends, row: LedgerRow, signal: AbortSignal): Promise<string | undefined> {
  const { client, bucket } = ends.source;
  const head = await headObject(client, { bucket, key: row.source }, signal);
  if (head === undefined || head.etag !== row.sourceEtag || head.size !== row.size) return undefined;
  return hashObject({ client, bucket, key: row.source, etag: row.sourceEtag, size: row.size }, signal);
}

/**
 * What the ledger knows of the bytes. Where it has no checksum, an ETag that is an MD5 sum is one; a source under a key
 * of its own has one that only looks like it, which its copy does not share.
 */
function parseChecksum(row: LedgerRow): { readonly algorithm: string; readonly value: string } {
  const { checksum, sourceEtag, destinationEtag } = row;
  if (checksum === undefined) {
    const shared = sourceEtag === destinationEtag && isPlainEtag(sourceEtag);
    return shared ? { algorithm: 'md5', value: sourceEtag } : none;
  }
  const colon = checksum.indexOf(':');
  return { algorithm: checksum.slice(0, colon), value: checksum.slice(colon + 1) };
}

const none = { algorithm: '', value: '' };

function different(why: string): VerifyResult {
  return { kind: 'Different', why };
}
