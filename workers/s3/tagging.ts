import type { S3Client } from './client.ts';
import { encodeComponent } from './encode.ts';
import { S3Error } from './errors.ts';
import { decodeEntities } from './xml.ts';

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
