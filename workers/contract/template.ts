/**
 * The right-hand side of a rename rule: literal text, `{group}`, facts of the object and filters. Parsed once, before
 * any key is seen, so that a wrong name is refused with the run and not with the millionth key.
 */

/** What a template may say about one object. */
export interface ObjectFacts {
  /** The key after `source.prefix`. */
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** RFC 3339, as the listing has it; dates are UTC. */
  readonly lastModified: string;
  /** Hex digest of the key, at least 32 digits. Only asked for when a template uses `{hash:n}`. */
  readonly hash: () => string;
}

type Filter = (value: string) => string;
type Groups = Readonly<Record<string, string | undefined>>;
type Part = string | ((facts: ObjectFacts, groups: Groups) => string);

/** A parsed template. */
export interface Template {
  readonly parts: readonly Part[];
}

/** What is wrong with a template, where (0-based character), and what to do. */
export interface TemplateProblem {
  readonly position: number;
  readonly message: string;
}

const plainFacts = ['key', 'dir', 'stem', 'ext', 'size'] as const;

/** Names that a group must not have, because they already mean something in a template. */
export const reservedNames: ReadonlySet<string> = new Set(plainFacts);

const known = '{key} {dir} {stem} {ext} {size} {date:YYYY-MM-DD} {hash:4}';

/** Reads a template that may refer to the groups of its rule's expression. */
export function parseTemplate(text: string, groups: ReadonlySet<string>): Template | TemplateProblem {
  const parts: Part[] = [];
  let literal = '';
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character !== '{' && character !== '}') {
      literal += character;
    } else if (text.charAt(at + 1) === character) {
      literal += character;
      at += 1;
    } else if (character === '}') {
      return { position: at, message: 'a single } stands for nothing; write }} for a literal brace' };
    } else {
      const end = text.indexOf('}', at);
      if (end < 0) return { position: at, message: 'this { is never closed; write {{ for a literal brace' };
      const part = parsePlaceholder(text.slice(at + 1, end), groups);
      if (typeof part === 'string') return { position: at, message: part };
      if (literal !== '') parts.push(literal);
      literal = '';
      parts.push(part);
      at = end;
    }
  }
  if (literal !== '') parts.push(literal);
  return { parts };
}

/** The text that a template makes for one object and the groups of its match. */
export function render(template: Template, facts: ObjectFacts, groups: Groups): string {
  let text = '';
  for (const part of template.parts) text += typeof part === 'string' ? part : part(facts, groups);
  return text;
}

/** The part for what stands between braces, or the sentence that says what is wrong with it. */
function parsePlaceholder(text: string, groups: ReadonlySet<string>): Exclude<Part, string> | string {
  const [name = '', ...filterTexts] = text.split('|');
  const value = parseValue(name, groups);
  if (typeof value === 'string') return value;
  const filters: Filter[] = [];
  for (const filterText of filterTexts) {
    const filter = parseFilter(filterText);
    if (filter === undefined) {
      return `unknown filter ${JSON.stringify(filterText)}; filters are |lower, |upper and |pad:6 (1 to 64 digits)`;
    }
    filters.push(filter);
  }
  if (filters.length === 0) return value;
  return (facts, matched) => filters.reduce((result, filter) => filter(result), value(facts, matched));
}

function parseFilter(text: string): Filter | undefined {
  if (text === 'lower') return (value) => value.toLowerCase();
  if (text === 'upper') return (value) => value.toUpperCase();
  const width = Number(/^pad:(\d{1,2})$/.exec(text)?.[1] ?? 0);
  return width >= 1 && width <= 64 ? (value) => value.padStart(width, '0') : undefined;
}

function parseValue(name: string, groups: ReadonlySet<string>): Exclude<Part, string> | string {
  if (groups.has(name)) return (_facts, matched) => matched[name] ?? '';
  const fact = plainFacts.find((candidate) => candidate === name);
  if (fact !== undefined) return (facts) => plainFact(fact, facts);
  if (name.startsWith('date:')) return parseDate(name.slice(5));
  if (name.startsWith('hash:')) {
    const digits = /^\d{1,2}$/.test(name.slice(5)) ? Number(name.slice(5)) : 0;
    if (digits < 1 || digits > 32)
      return '{hash:n} takes a number of hex digits from 1 to 32, such as {hash:4}';
    return (facts) => facts.hash().slice(0, digits);
  }
  const own = groups.size === 0 ? '' : `, or a group of match: ${[...groups].map((g) => `{${g}}`).join(' ')}`;
  const hint = /^\d+$/.test(name) ? '; give the group a name: (?<name>…)' : '';
  return `unknown name {${name}}; use ${known}${own}${hint}`;
}

function plainFact(fact: (typeof plainFacts)[number], { key, size }: ObjectFacts): string {
  if (fact === 'key') return key;
  if (fact === 'size') return String(size);
  const slash = key.lastIndexOf('/');
  if (fact === 'dir') return slash < 0 ? '' : key.slice(0, slash);
  const base = key.slice(slash + 1);
  const dot = base.lastIndexOf('.');
  // A leading dot hides a file; it does not start an extension.
  if (fact === 'stem') return dot <= 0 ? base : base.slice(0, dot);
  return dot <= 0 ? '' : base.slice(dot + 1);
}

const dateTokens: Readonly<Record<string, (iso: string) => string>> = {
  YYYY: (iso) => iso.slice(0, 4),
  MM: (iso) => iso.slice(5, 7),
  DD: (iso) => iso.slice(8, 10),
  HH: (iso) => iso.slice(11, 13),
  mm: (iso) => iso.slice(14, 16),
  ss: (iso) => iso.slice(17, 19),
};

function parseDate(format: string): Exclude<Part, string> | string {
  const rest = format.replaceAll(/YYYY|MM|DD|HH|mm|ss/g, '');
  if (rest === format || /[A-Za-z]/.test(rest)) {
    return '{date:…} is made of YYYY MM DD HH mm ss and signs between them, such as {date:YYYY-MM-DD}';
  }
  return ({ lastModified }) => {
    const time = new Date(lastModified);
    const iso = Number.isNaN(time.getTime()) ? '0000-00-00T00:00:00' : time.toISOString();
    return format.replaceAll(/YYYY|MM|DD|HH|mm|ss/g, (token) => dateTokens[token]?.(iso) ?? token);
  };
}
