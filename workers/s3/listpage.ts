import type { S3Client } from './client.ts';
import { printableKey, type QueryParameter } from './encode.ts';
import { badResponse, S3Error, type S3Target } from './errors.ts';
import type { WireResponse } from './exchange.ts';
import { ListingError, scanListing, type ListingPage } from './listing.ts';

/**
 * One page of a bucket's objects in key order. A page that is not whole is an error, never an end, and so is one with
 * keys that were not asked for: whoever takes the prefix off them, or deletes them, would meet other objects.
 */
export async function listObjects(
  client: S3Client,
  what: { bucket: string; prefix: string; token?: string | undefined; startAfter?: string; maxKeys?: number },
  signal: AbortSignal,
): Promise<ListingPage> {
  const query: QueryParameter[] = [
    ['list-type', '2'],
    ['encoding-type', 'url'],
    ['max-keys', String(what.maxKeys ?? 1000)],
    ['prefix', what.prefix],
  ];
  if (what.token !== undefined) query.push(['continuation-token', what.token]);
  if (what.startAfter !== undefined) query.push(['start-after', what.startAfter]);
  const request = { operation: 'ListObjectsV2', method: 'GET', bucket: what.bucket, query } as const;
  const read = (response: WireResponse): ListingPage => {
    try {
      const page = scanListing(response.body);
      refuseOthers(request, what.prefix, page.objects);
      return page;
    } catch (error) {
      if (!(error instanceof ListingError)) throw error;
      if (error.code === 'BadListing') throw badResponse(request, response.status, error.message);
      throw new S3Error(request, { code: error.code, status: response.status, detail: error.message });
    }
  };
  return client.request(request, read, signal);
}

/** @throws S3Error `PrefixIgnored` where a listing has keys that are not under the prefix that was asked for. */
function refuseOthers(request: S3Target, prefix: string, listed: readonly { readonly key: string }[]): void {
  const other = listed.find(({ key }) => !key.startsWith(prefix));
  if (other === undefined) return;
  const detail = `${printableKey(other.key)} is not under ${printableKey(prefix)}`;
  throw new S3Error(request, { code: 'PrefixIgnored', status: 200, detail });
}
