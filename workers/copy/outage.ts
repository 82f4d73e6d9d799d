/** Whether stores that fail a worker's objects have an outage, or the objects have a fault. */
import type { PlanRow } from '../contract/copyplan.ts';
import { S3Error } from '../s3/errors.ts';
import { getObject } from '../s3/objects.ts';
import { probeCopy } from '../s3/probe.ts';
import { runBounded } from './pool.ts';
import type { TransferContext } from './transfer.ts';

/**
 * Whether the stores do for others what they do for none of the rows at hand: the destination for a throw-away object,
 * the source for any of all rows.
 */
export async function doesOthers(
  { ends, job, transfer }: TransferContext,
  all: readonly PlanRow[],
  owner: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { client, bucket } = ends.destination;
  const place = { bucket, prefix: job.destination.prefix, owner };
  try {
    await probeCopy(client, place, { copy: transfer === 'ServerSide' }, signal);
  } catch (error) {
    if (error instanceof S3Error) return false;
    throw error;
  }
  return readsAny(ends.source, spread(all, 16), signal);
}

/** So many of the rows as far apart as can be: neighbours may have one fault. */
function spread(rows: readonly PlanRow[], most: number): readonly PlanRow[] {
  if (rows.length <= most) return rows;
  const step = (rows.length - 1) / (most - 1);
  return Array.from({ length: most }, (_, n) => rows[Math.round(n * step)]).filter(
    (row) => row !== undefined,
  );
}

/** Whether a byte of any of the sources can be read. They are tried at once: where nothing answers, each takes its time. */
async function readsAny(
  { client, bucket }: TransferContext['ends']['source'],
  rows: readonly PlanRow[],
  signal: AbortSignal,
): Promise<boolean> {
  const enough = new Error('one is enough');
  const read = async ({ source: key, size }: PlanRow, rowSignal: AbortSignal): Promise<void> => {
    const range = size === 0 ? {} : { range: { first: 0, last: 0 } };
    try {
      if ((await getObject(client, { bucket, key, ...range }, rowSignal)) === undefined) return;
    } catch (error) {
      if (error instanceof S3Error) return;
      throw error;
    }
    // Ends the others.
    throw enough;
  };
  try {
    await runBounded(rows, rows.length, read, signal);
    return false;
  } catch (error) {
    if (error === enough) return true;
    throw error;
  }
}
