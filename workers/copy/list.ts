import type { S3Client } from '../s3/client.ts';
import type { ListedObject } from '../s3/listing.ts';
import { listObjects } from '../s3/objects.ts';

/** A listing that goes round in circles: the store gave the same continuation token twice in a row. */
export class ListingStuck extends Error {
  override readonly name = 'ListingStuck';
  readonly code = 'ListingStuck';
}

/**
 * Lists a prefix page by page; the next page is on its way while the caller works on this one. Ends only where the
 * store says that the listing is complete; everything else throws.
 */
export async function* listPages(
  client: S3Client,
  what: { readonly bucket: string; readonly prefix: string; readonly pageSize?: number },
  signal: AbortSignal,
): AsyncGenerator<readonly ListedObject[], void, undefined> {
  const ask = (token: string | undefined) =>
    listObjects(
      client,
      { bucket: what.bucket, prefix: what.prefix, token, maxKeys: what.pageSize ?? 1000 },
      signal,
    );
  let last: string | undefined;
  let page = await ask(undefined);
  for (;;) {
    const token = page.nextToken;
    if (token === undefined) {
      yield page.objects;
      return;
    }
    if (token === last) {
      throw new ListingStuck(
        `the listing of bucket ${what.bucket} does not advance: the store repeats its token`,
      );
    }
    last = token;
    const next = ask(token);
    // The consumer may stop or throw before it is awaited; its own await below still sees the error.
    next.catch(() => undefined);
    yield page.objects;
    page = await next;
  }
}
