import type { S3Client } from './client.ts';
import { encodeComponent } from './encode.ts';
import { S3Error } from './errors.ts';
import { decodeEntities, escapeXml } from './xml.ts';

/** An object's tags in the form of the `x-amz-tagging` header; empty where it has none or the store knows none. */
export async function getTagging(
  client: S3Client,
  what: { readonly bucket: string; readonly key: string },
  signal: AbortSignal,
): Promise<string> {
  const { bucket, key } = what;
  try {
    return await client.request(
      { operation: 'GetObjectTagging', method: 'GET', bucket, key, query: [['tagging', '']] },
      (response) => readTags(response.body.toString('utf8')),
      signal,
    );
  } catch (error) {
    if (error instanceof S3Error && noTags.has(error.code)) return '';
    throw error;
  }
}

/**
 * Sets an object's tags where it does not have them: radosgw takes them at the start of a multipart upload and drops
 * them. A store that knows no tags is left alone.
 */
export async function ensureTagging(
  client: S3Client,
  what: { readonly bucket: string; readonly key: string },
  tagging: string,
  signal: AbortSignal,
): Promise<void> {
  const sorted = (tags: string): string => tags.split('&').toSorted().join('&');
  if (sorted(await getTagging(client, what, signal)) === sorted(tagging)) return;
  const tags = tagging.split('&').map((tag) => {
    const [key = '', value = ''] = tag.split('=').map((part) => escapeXml(decodeURIComponent(part)));
    return `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`;
  });
  const body = Buffer.from(`<Tagging><TagSet>${tags.join('')}</TagSet></Tagging>`);
  const { bucket, key } = what;
  try {
    await client.request(
      { operation: 'PutObjectTagging', method: 'PUT', bucket, key, query: [['tagging', '']], body },
      () => undefined,
      signal,
    );
  } catch (error) {
    if (!(error instanceof S3Error && noTags.has(error.code))) throw error;
  }
}

const noTags = new Set(['NoSuchTagSet', 'NoSuchTagSetError', 'NotImplemented']);

function readTags(xml: string): string {
  const tags: string[] = [];
  for (const [, key = '', value = ''] of xml.matchAll(
    /<Tag>\s*<Key>([^<]*)<\/Key>\s*<Value>([^<]*)<\/Value>/g,
  )) {
    tags.push(`${encodeComponent(decodeEntities(key))}=${encodeComponent(decodeEntities(value))}`);
  }
  return tags.join('&');
}
