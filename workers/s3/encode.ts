/** Bytes that SigV4's own encoding leaves alone although `encodeURIComponent` would too, or not. */
const plainKey = /^[A-Za-z0-9\-._~/]*$/;
const leftByEncodeUriComponent = /[!'()*]/g;

function escapeByte(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

/**
 * Percent-encodes every byte of the UTF-8 form except RFC 3986's unreserved characters, as SigV4 wants names and
 * values of a query. Throws `URIError` for text that is not well-formed Unicode, because no bytes exist for it.
 */
export function encodeComponent(text: string): string {
  return encodeURIComponent(text).replace(leftByEncodeUriComponent, escapeByte);
}

/** The same for an object key in a path: `/` stays, nothing is normalised (`a//b` and `x/../y` are keys of their own). */
export function encodeKey(key: string): string {
  if (plainKey.test(key)) return key;
  return encodeComponent(key).replaceAll('%2F', '/');
}

/** One query parameter; a parameter without a value (`?uploads`) has an empty one. */
export type QueryParameter = readonly [name: string, value: string];

/** The query in SigV4's canonical form, which is also what is sent: encoded, ordered by encoded name, then value. */
export function encodeQuery(parameters: readonly QueryParameter[]): string {
  if (parameters.length === 0) return '';
  const encoded = parameters.map(([name, value]) => [encodeComponent(name), encodeComponent(value)] as const);
  encoded.sort((a, b) => compareAscii(a[0], b[0]) || compareAscii(a[1], b[1]));
  return encoded.map(([name, value]) => `${name}=${value}`).join('&');
}

function compareAscii(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** The key as it may stand in a message or log line: control characters, quotes and lone surrogates are escaped. */
export function printableKey(key: string): string {
  return JSON.stringify(key.toWellFormed()).replace(
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
