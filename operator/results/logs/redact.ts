/**
 * Masks what looks like a secret before a log is stored. By pattern only: a secret that looks like ordinary text is
 * not found, which is why status says how logs were captured.
 */

export const MASK = '[redacted]';

/** A pattern whose group `s` is the secret; everything around it stays. */
export type SecretPattern = RegExp;

const NAMED =
  'passw(?:or)?d|passphrase|pwd|secret(?:[_-]?(?:access)?[_-]?key)?|api[_-]?key|access[_-]?key|private[_-]?key|' +
  '(?:auth|access|refresh|session|security|api|id)[_-]?token';

/** Every pattern is bounded on its left side, so that none of them looks at a long line twice. */
export const DEFAULT_PATTERNS: readonly SecretPattern[] = [
  /(?<s>-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----(?:[^-]|-(?!----END))*(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----)?)/,
  /\b(?<s>(?:AKIA|ASIA)[A-Z0-9]{16})\b/,
  /\bbearer[ \t]{1,4}(?<s>[\w.~+/=-]{8,})/i,
  /\bauthorization["']?[ \t]?[:=][ \t]?["']?basic[ \t]{1,4}(?<s>[\w+/=-]{4,})/i,
  /\b(?<s>eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,})/,
  new RegExp(`(?:${NAMED})["']?[ \\t]{0,2}(?:=|:)[ \\t]{0,2}"(?<s>[^"\\r\\n]+)`, 'i'),
  new RegExp(`(?:${NAMED})["']?[ \\t]{0,2}(?:=|:)[ \\t]{0,2}'(?<s>[^'\\r\\n]+)`, 'i'),
  new RegExp(`(?:${NAMED})["']?[ \\t]{0,2}(?:=|:)[ \\t]{0,2}(?<s>[^\\s"'&,;]+)`, 'i'),
  /:\/\/[^\s/:@]{1,256}:(?<s>[^\s/@]+)@/,
  /X-Amz-(?:Signature|Security-Token)(?:=|%3D)(?<s>[^\s&"']+)/i,
  /\bSignature=(?<s>[0-9a-f]{64})\b/,
  /\b(?<s>gh[pousr]_[A-Za-z0-9]{30,})/,
  /\b(?<s>xox[abprs]-[\w-]{10,})/,
];

/** One pass that almost every line fails: only lines with one of these words are looked at closer. */
const HINT = new RegExp(
  String.raw`-----BEGIN |AKIA|ASIA|bearer[ \t]|authorization|eyJ|${NAMED}|:\/\/[^\s/:@]{1,256}:|x-amz-|signature=|gh[pousr]_|xox`,
  'i',
);

const KEY_BEGIN = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----/;
const KEY_END = /-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----/;
/** A private key of more lines than this is not one; masking ends, lest a whole log vanish. */
const MAX_KEY_LINES = 400;
/** What is held back of an unfinished line, so that a secret across the cut is seen whole. */
const HOLD = 8 * 1024;

interface Span {
  start: number;
  end: number;
  /** Where the whole match begins: the words that tell that a secret follows. */
  from: number;
}

function findSpans(text: string, patterns: readonly RegExp[]): Span[] {
  const spans: Span[] = [];
  for (const pattern of patterns) {
    for (const match of text.matchAll(pattern)) {
      const [start, end] = match.indices?.groups?.['s'] ?? match.indices?.[0] ?? [0, 0];
      spans.push({ start, end, from: match.index });
    }
  }
  spans.sort((a, b) => a.start - b.start || a.end - b.end);
  const merged: Span[] = [];
  for (const span of spans) {
    const last = merged.at(-1);
    if (last !== undefined && span.start <= last.end) {
      last.end = Math.max(last.end, span.end);
      last.from = Math.min(last.from, span.from);
    } else merged.push({ ...span });
  }
  return merged;
}

function mask(text: string, spans: readonly Span[]): string {
  let out = '';
  let at = 0;
  for (const { start, end } of spans) {
    out += `${text.slice(at, start)}${MASK}`;
    at = end;
  }
  return out + text.slice(at);
}

/**
 * Reads the lines of one stream in order. Text is Latin-1, one character per byte, so that bytes which are no UTF-8
 * survive. What comes out depends only on the lines and pieces that went in.
 */
export class Redactor {
  readonly #patterns: readonly RegExp[];
  #held = '';
  /** Lines left of a private key that began on an earlier line. */
  #keyLines = 0;
  /** The line is inside a secret longer than what is ever held. */
  #swallowing = false;

  constructor(patterns: readonly SecretPattern[] = DEFAULT_PATTERNS) {
    this.#patterns = patterns.map(
      ({ source, flags }) => new RegExp(source, [...new Set(`${flags}dg`)].join('')),
    );
  }

  /** A piece of a line; `end` when the line ends with it. Returns what may be stored of what came so far. */
  take(piece: string, end: boolean): string {
    if (this.#keyLines > 0) return this.#takeOfKey(piece, end);
    if (end && this.#held === '' && !this.#swallowing && !HINT.test(piece)) return piece;
    let text = this.#held + piece;
    this.#held = '';
    if (this.#swallowing) {
      const stop = /[\s"'&]/.exec(text)?.index;
      if (stop === undefined) {
        if (end) this.#swallowing = false;
        return '';
      }
      this.#swallowing = false;
      text = text.slice(stop);
    }
    const spans = findSpans(text, this.#patterns);
    if (end) {
      if (KEY_BEGIN.test(text) && !KEY_END.test(text)) this.#keyLines = MAX_KEY_LINES;
      return mask(text, spans);
    }
    let cut = Math.max(0, text.length - HOLD);
    const across = spans.find((span) => span.from < cut && span.end > cut);
    if (across !== undefined) {
      if (across.end === text.length && text.length - across.start > 4 * HOLD) {
        this.#swallowing = true;
        return mask(
          text,
          spans.filter((span) => span.start <= across.start),
        );
      }
      cut = across.from;
    }
    this.#held = text.slice(cut);
    return mask(
      text.slice(0, cut),
      spans.filter((span) => span.end <= cut),
    );
  }

  /** The reader starts inside a private key: it has seen that the line before was masked as one. */
  enterKey(): void {
    this.#keyLines = MAX_KEY_LINES;
  }

  /** Forgets an unfinished line, because its stream broke and will be read again from before it. */
  restart(): void {
    this.#held = '';
    this.#keyLines = 0;
    this.#swallowing = false;
  }

  #takeOfKey(piece: string, end: boolean): string {
    const text = this.#held + piece;
    this.#held = '';
    const stop = KEY_END.exec(text);
    if (stop !== null) {
      this.#keyLines = 0;
      return MASK + this.take(text.slice(stop.index + stop[0].length), end);
    }
    if (!end) {
      this.#held = text.slice(-HOLD);
      return '';
    }
    this.#keyLines -= 1;
    return MASK;
  }
}
