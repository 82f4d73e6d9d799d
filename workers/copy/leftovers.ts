import type { PlanRow } from '../contract/copyplan.ts';
import { S3Error } from '../s3/errors.ts';
import { abortMultipart } from '../s3/multipart.ts';
import { listUploads } from '../s3/uploads.ts';
import { isCopiedInParts, type TransferContext } from './transfer.ts';

/**
 * Aborts the uploads that killed workers left behind: those of keys that only these rows write, begun after the plan
 * was made. Somebody else's upload to the same bucket is never touched. Returns how many there were. Stores without
 * such a list, and credentials that may not see it, are no reason to fail a copy: then nothing is done.
 */
export async function sweepUploads(
  context: TransferContext,
  rows: Iterable<PlanRow>,
  signal: AbortSignal,
): Promise<number> {
  const ours = new Set<string>();
  for (const row of rows) {
    if (row.action === 'Copy' && isCopiedInParts(context, row)) ours.add(row.destination);
  }
  if (ours.size === 0) return 0;
  const { client, bucket } = context.ends.destination;
  const { prefix } = context.job.destination;
  let swept = 0;
  try {
    for await (const upload of listUploads(client, { bucket, prefix }, signal)) {
      if (!ours.has(upload.key) || upload.initiated < context.plannedAt) continue;
      await abortMultipart(client, upload, signal);
      swept += 1;
    }
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
  }
  return swept;
}
