import type { ObjectHead } from './objects.ts';

const algorithms = ['crc64nvme', 'sha256', 'crc32c', 'crc32', 'sha1'] as const;

/**
 * Whether two objects have a checksum of the whole object in common, and it is equal. Heads must have been asked for
 * with checksums. A checksum of checksums of parts says nothing about equality and does not count.
 */
export function haveSameChecksum(a: ObjectHead, b: ObjectHead): boolean {
  for (const algorithm of algorithms) {
    const [ours, theirs] = [wholeChecksum(a, algorithm), wholeChecksum(b, algorithm)];
    if (ours !== undefined && theirs !== undefined) return ours === theirs;
  }
  return false;
}

function wholeChecksum({ headers }: ObjectHead, algorithm: string): string | undefined {
  const value = headers[`x-amz-checksum-${algorithm}`];
  const composite = headers['x-amz-checksum-type'] === 'COMPOSITE' || value?.includes('-') === true;
  return composite ? undefined : value;
}
