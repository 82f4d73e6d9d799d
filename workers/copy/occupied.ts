/** What is at a row's destination, though nothing was when the copy was planned. */
import type { PlanRow } from '../contract/copyplan.ts';
import { compareChecksums } from '../s3/checksums.ts';
import type { ObjectHead } from '../s3/objects.ts';
import { headSource } from './heads.ts';
import { RowFailed } from './rowfailed.ts';
import { isIdentical } from './samebytes.ts';
import type { TransferContext } from './transfer.ts';

/**
 * The ETag of what is there where it has the source's content; undefined where the row is to be written, again or over
 * it: on the user's word, or because it may be our own copy (`mayBeOurs`) and nothing that the stores state can tell.
 * @throws RowFailed where it is somebody else's, or the source changed.
 */
export async function judgeOccupant(
  context: TransferContext,
  row: PlanRow,
  { there, mayBeOurs }: { readonly there: ObjectHead | undefined; readonly mayBeOurs: boolean },
  signal: AbortSignal,
): Promise<string | undefined> {
  if (there !== undefined && isIdentical(row, there)) return there.etag;
  const source = await headSource(context, row, { checksums: true }, signal);
  if (there === undefined || context.job.onExisting === 'Overwrite') return undefined;
  if (there.size === row.size) {
    const shared = compareChecksums(source, there);
    if (shared?.equal === true) return there.etag;
    if (shared === undefined && mayBeOurs) return undefined;
  }
  throw new RowFailed(
    'DestinationExists',
    'the destination key came into being after the copy was planned, and nothing shows that it has the same content',
  );
}
