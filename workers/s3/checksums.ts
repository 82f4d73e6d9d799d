import type { ObjectHead } from './objects.ts';

/** Best first. What the header `x-amz-checksum-…` may end with. */
const algorithms = ['crc64nvme', 'sha256', 'crc32c', 'crc32', 'sha1'] as const;
export type ChecksumAlgorithm = (typeof algorithms)[number];

/** A checksum over all bytes of an object, as its store states it. */
export interface WholeChecksum {
  /** `md5` is the ETag of an object that was written in one piece. */
  readonly algorithm: ChecksumAlgorithm | 'md5';
  readonly value: string;
}

/**
 * The checksums of the whole object that a HEAD shows. It must have been asked for with checksums. A checksum of
 * checksums of parts says nothing about equality and does not count.
 */
export function wholeChecksums(head: ObjectHead): WholeChecksum[] {
  const found: WholeChecksum[] = [];
  for (const algorithm of algorithms) {
    const value = head.headers[`x-amz-checksum-${algorithm}`];
    const composite = head.headers['x-amz-checksum-type'] === 'COMPOSITE' || value?.includes('-') === true;
    if (value !== undefined && !composite) found.push({ algorithm, value });
  }
  if (hasMd5Etag(head)) found.push({ algorithm: 'md5', value: head.etag });
  return found;
}

/** The best checksum that two objects have in common, and whether it is equal; undefined where they have none. */
export function compareChecksums(
  a: ObjectHead,
  b: ObjectHead,
): (WholeChecksum & { readonly equal: boolean }) | undefined {
  const theirs = new Map(wholeChecksums(b).map(({ algorithm, value }) => [algorithm, value]));
  for (const { algorithm, value } of wholeChecksums(a)) {
    const other = theirs.get(algorithm);
    if (other !== undefined) return { algorithm, value, equal: value === other };
  }
  return undefined;
}

/** Whether two objects have a checksum of the whole object in common, and it is equal. */
export function haveSameChecksum(a: ObjectHead, b: ObjectHead): boolean {
  return compareChecksums(a, b)?.equal === true;
}

/** An MD5 sum of the content, which two objects with the same content have in common. */
export function isPlainEtag(etag: string): boolean {
  return /^[0-9a-f]{32}$/.test(etag);
}

/** Whether an object's ETag is the MD5 sum of its content. */
export function hasMd5Etag(head: ObjectHead): boolean {
  return isPlainEtag(head.etag) && !isEncryptedByKey(head);
}

/** With a key of its own (SSE-KMS, SSE-C) an object's ETag is no MD5 sum. */
export function isEncryptedByKey({ headers }: ObjectHead): boolean {
  const kind = headers['x-amz-server-side-encryption'];
  return (
    (kind !== undefined && kind !== 'AES256') || 'x-amz-server-side-encryption-customer-algorithm' in headers
  );
}
