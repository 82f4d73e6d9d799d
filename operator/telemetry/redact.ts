/** What stands in a log line for a value that must not be there. */
export const MASK = '[redacted]';

const SECRET_NAME =
  /token|secret|passw|credential|authorization|cookie|private_?key|access_?key|api_?key|signature|session/i;

/** Names that the pattern above catches and that hold nothing secret. */
const HARMLESS_NAMES: ReadonlySet<string> = new Set(['secretRef', 'secretName', 'tokenAudience', 'tokenUID']);

const SECRET_TEXT: readonly [RegExp, string][] = [
  // Presigned URLs are secrets: whoever has one may read or write the object.
  [/([?&]X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s"'<>]*/gi, `$1${MASK}`],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]{8,}/gi, `$1 ${MASK}`],
  [/\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g, MASK],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, MASK],
  [/(\/\/[^/\s:@]+:)[^/\s@]+@/g, `$1${MASK}@`],
];

const MAX_DEPTH = 6;
const MAX_TEXT = 8_192;

/** Text without what looks like a token, a key, a password in a URL or a presigned URL's signature; cut at 8,192 characters. */
function redactText(text: string): string {
  let clean = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
  for (const [pattern, replacement] of SECRET_TEXT) clean = clean.replace(pattern, replacement);
  return clean;
}

/** A copy of the fields of a log line that is safe to write. The fields themselves are left as they are. */
export function redactFields(fields: object): Record<string, unknown> {
  return redactEntries(fields, 0);
}

function redactEntries(fields: object, depth: number): Record<string, unknown> {
  const clean: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    clean[name] =
      SECRET_NAME.test(name) && !HARMLESS_NAMES.has(name) && mayHoldText(value)
        ? MASK
        : redactValue(value, depth + 1);
  }
  return clean;
}

/** Numbers and booleans tell no secret: `tokensReviewed: 3` may stay. */
function mayHoldText(value: unknown): boolean {
  return typeof value === 'string' || (typeof value === 'object' && value !== null);
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (depth > MAX_DEPTH) return '[deeper]';
  if (value instanceof Error) return redactError(value, depth);
  if (Array.isArray(value)) return value.map((item) => redactValue(item, depth + 1));
  if (value instanceof Uint8Array) return `[${value.byteLength} bytes]`;
  return redactEntries(value, depth);
}

function redactError(error: Error, depth: number): Record<string, unknown> {
  return {
    type: error.name,
    message: redactText(error.message),
    stack: redactText(error.stack ?? ''),
    // `code` and the like; never the headers or bodies that some errors carry.
    ...('code' in error && { code: redactValue(error.code, depth + 1) }),
    ...(error.cause !== undefined && { cause: redactValue(error.cause, depth + 1) }),
  };
}
