import type { S3Client } from '../s3/client.ts';
import type { ListedObject, ListingPage } from '../s3/listing.ts';
import { listObjects } from '../s3/listpage.ts';

/** A listing that goes round in circles: the store gave the same continuation token twice in a row. */
export class ListingStuck extends Error {
  override readonly name = 'ListingStuck';
  readonly code = 'ListingStuck';
}

/**
 * Lists a prefix page by page; the first page is on its way at once, the next one while the caller works on this one.
 * Ends only where the store says that the listing is complete; everything else throws.
 */
export function listPages(
  client: S3Client,
  { bucket, prefix }: { readonly bucket: string; readonly prefix: string },
  signal: AbortSignal,
): AsyncGenerator<readonly ListedObject[], void, undefined> {
  const ask = (token: string | undefined): Promise<ListingPage> =>
    listObjects(client, { bucket, prefix, token }, signal);
  const first = ask(undefined);
  // The caller may never come to it; its own await still sees the error.
  first.catch(() => undefined);
  return readPages(bucket, first, ask);
}

async function* readPages(
  bucket: string,
  first: Promise<ListingPage>,
  ask: (token: string) => Promise<ListingPage>,
): AsyncGenerator<readonly ListedObject[], void, undefined> {
  let last: string | undefined;
  let page = await first;
  for (;;) {
    const token = page.nextToken;
    if (token === undefined) {
      yield page.objects;
      return;
    }
    if (token === last) {
      throw new ListingStuck(`the listing of bucket ${bucket} does not advance: the store repeats its token`);
    }
    last = token;
    const next = ask(token);
    // So may the next one be left.
    next.catch(() => undefined);
    yield page.objects;
    page = await next;
  }
}
