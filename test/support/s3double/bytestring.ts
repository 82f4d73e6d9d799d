/**
 * Keys as the double holds them: the UTF-8 bytes of a key, one character per byte. JavaScript's `<` then orders them
 * as S3 does, and keys that are not UTF-8 can be held as well.
 */
export type ByteString = string;

export function toByteString(text: string): ByteString {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** As text; bytes that are not UTF-8 become U+FFFD. */
export function toText(bytes: ByteString): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

/** Undoes percent-encoding of a path or query value. A `+` stays what it is. */
export function decodePercent(encoded: string): ByteString {
  if (!encoded.includes('%')) return encoded;
  return encoded.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

const plain = /^[A-Za-z0-9\-._~/]*$/;
const toEscape = /[^A-Za-z0-9\-._~/ ]/g;

/** The form of a key in a listing with `encoding-type=url`: a space becomes `+`, as in Amazon's answers. */
export function encodeForListing(bytes: ByteString): string {
  if (plain.test(bytes)) return bytes;
  const escaped = bytes.replace(
    toEscape,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
  return escaped.replaceAll(' ', '+');
}

/** The form of a key in XML without `encoding-type`; control characters become references, as Amazon writes them. */
export function escapeForXml(bytes: ByteString): string {
  return bytes.replace(/[^ !#-%'-;=?-\u00ff]/g, (byte) => `&#${byte.charCodeAt(0)};`);
}
