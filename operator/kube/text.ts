/** Cutting text to a number of bytes. Pure. */

/** The longest beginning of `text` that fits into `limit` bytes of UTF-8, never ending inside a character. */
export function cutToBytes(text: string, limit: number): string {
  if (Buffer.byteLength(text) <= limit) return text;
  let end = Math.max(0, limit);
  const bytes = Buffer.from(text);
  while (end > 0 && ((bytes[end] ?? 0) & 0b1100_0000) === 0b1000_0000) end -= 1;
  return bytes.subarray(0, end).toString('utf8');
}
