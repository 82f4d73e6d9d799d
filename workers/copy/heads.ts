/** What HEAD says about both ends of a row. */
import type { PlanRow } from '../contract/copyplan.ts';
import type { LedgerRow } from '../contract/ledger.ts';
import { headObject, type ObjectHead } from '../s3/objects.ts';
import { RowFailed } from './rowfailed.ts';
import type { TransferContext } from './transfer.ts';

export function sourceChanged(): RowFailed {
  return new RowFailed('SourceChanged', 'the source object is not what it was when the copy was planned');
}

/** `checksums`: as far as the store has them. @throws RowFailed where the source is not what was planned. */
export async function headSource(
  { ends }: Pick<TransferContext, 'ends'>,
  row: PlanRow,
  { checksums }: { readonly checksums: boolean },
  signal: AbortSignal,
): Promise<ObjectHead> {
  const { client, bucket } = ends.source;
  const head = await headObject(client, { bucket, key: row.source, checksums }, signal);
  if (head === undefined || head.etag !== row.etag || head.size !== row.size) throw sourceChanged();
  return head;
}

/** Undefined where nothing is at the destination. `checksums`: as far as the store has them. */
export async function headDestination(
  { ends }: Pick<TransferContext, 'ends'>,
  row: PlanRow,
  { checksums }: { readonly checksums: boolean },
  signal: AbortSignal,
): Promise<ObjectHead | undefined> {
  const { client, bucket } = ends.destination;
  return headObject(client, { bucket, key: row.destination, checksums }, signal);
}

/** How what is at a row's destination differs from what the ledger says; undefined where it does not. */
export function compareHead(row: LedgerRow, head: ObjectHead | undefined): string | undefined {
  if (head === undefined) return 'it is gone';
  if (head.size !== row.size) return `it has ${head.size} bytes instead of ${row.size}`;
  if (row.destinationEtag !== '' && head.etag !== row.destinationEtag)
    return `it has ETag ${head.etag} instead of ${row.destinationEtag}`;
  return undefined;
}
