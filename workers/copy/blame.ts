/** Whose fault it is that a row could not be done: the object's, or a store's that may work again later. */
import type { RowOutcome } from '../contract/ledger.ts';
import { S3Error } from '../s3/errors.ts';
import { listObjects } from '../s3/listpage.ts';
import { explainStoreError, Unavailable } from './problems.ts';
import { RowFailed } from './rowfailed.ts';
import type { TransferContext } from './transfer.ts';

/** What became of a row. */
export interface Outcome {
  readonly outcome: RowOutcome;
  readonly etag: string;
  readonly checksum?: string | undefined;
  readonly error?: string;
}

/**
 * The failure of this row alone, or undefined where it may pass by itself.
 * @throws what ends the stage.
 */
export function judge(
  error: unknown,
  { job, ends }: Pick<TransferContext, 'job' | 'ends'>,
  anySuccess: boolean,
): Outcome | undefined {
  if (error instanceof RowFailed) return failed(error.code, error);
  if (!(error instanceof S3Error)) throw error;
  if (error.retryClass === 'permanent') return failed(error.code, error);
  if (error.retryClass === 'fatal') {
    // A policy may deny single keys; anything else that is fatal meets every row.
    if (error.code === 'AccessDenied' && anySuccess) return failed(error.code, error);
    const field =
      error.bucket === job.source.bucket && error.operation !== 'CopyObject' ? 'source' : 'destination';
    const { store, bucket } = job[field];
    const endpoint = ends[field].client.address(bucket).origin;
    throw explainStoreError(error, { field, store, endpoint, bucket });
  }
  return undefined;
}

/**
 * The failure of an object whose requests go on failing while its stores answer others.
 * @throws Unavailable where they do not: an outage at the end of a shard is no fault of its last objects.
 */
export async function blameObject(
  error: unknown,
  { job, ends }: Pick<TransferContext, 'job' | 'ends'>,
  signal: AbortSignal,
): Promise<Outcome> {
  for (const field of ['source', 'destination'] as const) {
    const { client, bucket } = ends[field];
    const { prefix } = job[field];
    try {
      await listObjects(client, { bucket, prefix, maxKeys: 1 }, signal);
    } catch (silence) {
      if (signal.aborted) throw silence;
      // A refusal is an answer, unless it is one that meets every request.
      if (judge(silence, { job, ends }, true) === undefined)
        throw new Unavailable(`the store goes on failing: ${messageOf(error)}`);
    }
  }
  return failed('StoreError', error);
}

function failed(code: string, error: unknown): Outcome {
  return { outcome: 'Failed', etag: '', error: `${code}: ${messageOf(error)}`.slice(0, 1000) };
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown failure';
}
