import type { KeyEquivalence } from '../contract/copyplan.ts';

/** Whether keys are paths, so that one key cannot be inside another. */
export function isPath(equivalence: KeyEquivalence): boolean {
  return equivalence.startsWith('Posix');
}

/** A key as its destination sees it. Under Posix a trailing slash makes a directory of the same path. */
export interface NormalisedKey {
  readonly path: string;
  readonly directory: boolean;
}

/** The form in which equivalent keys are equal. */
export function normaliseKey(key: string, equivalence: KeyEquivalence): NormalisedKey {
  const folded = foldName(key, equivalence);
  return isPath(equivalence)
    ? { path: posixPath(folded), directory: key.endsWith('/') }
    : { path: folded, directory: false };
}

function foldName(key: string, equivalence: KeyEquivalence): string {
  switch (equivalence) {
    case 'NFC':
    case 'PosixNFC':
      return key.normalize('NFC');
    case 'CaseInsensitive':
    case 'PosixCaseInsensitive':
      return foldCase(key);
    case 'Exact':
    case 'Posix':
    default:
      return key;
  }
}

/** Latin-1 but for sharp s and micro sign, whose capitals have other small letters than themselves. */
const simpleCase = /^[\0-\u00B4\u00B6-\u00DE\u00E0-\u00FF]*$/;

/**
 * Small letters of the capitals of small letters: only so are `STRASSE` and `straße` one key, and
 * all forms of sigma, long s or the Kelvin sign. Decomposed first, because marks are ordered otherwise on capitals.
 */
function foldCase(key: string): string {
  if (simpleCase.test(key)) return key.toLowerCase();
  return key.normalize('NFD').toLowerCase().toUpperCase().toLowerCase().normalize('NFC');
}

/**
 * Whether two equivalent keys are one wherever keys are compared so. How far stores go without regard to case differs:
 * `STRASSE` and `straße` are one key to some and two to others. What is left as it is because of another key must be one
 * to all of them; what may not both be written need be one only to some.
 */
export function isSurelyOne(one: string, other: string, equivalence: KeyEquivalence): boolean {
  if (one === other) return true;
  if (equivalence !== 'CaseInsensitive' && equivalence !== 'PosixCaseInsensitive') return true;
  const [left, right] = [one, other].map((key) =>
    isPath(equivalence) ? posixPath(lowerEach(key)) : lowerEach(key),
  );
  return left === right;
}

/** Composed, and each letter as its own small letter, if that is one letter: wherever it stands. */
function lowerEach(key: string): string {
  const small = (letter: string): string => {
    const lower = letter.toLowerCase();
    return lower.length === letter.length ? lower : letter;
  };
  return Array.from(key.normalize('NFC'), small).join('');
}

const ordinaryPath = /^(?!\/)(?!.*(?:\/\/|\/\.\.?(?:\/|$)))(?!\.\.?(?:\/|$)).*[^/]$/s;

/** What a file store makes of a key: no empty or `.` segments, `..` goes up, no slash at either end. */
function posixPath(key: string): string {
  if (ordinaryPath.test(key)) return key;
  const segments: string[] = [];
  for (const segment of key.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  return segments.join('/');
}

/** `a/b`, `a` for `a/b/c`: nearest first. */
export function* ancestorsOf(path: string): Generator<string, void, undefined> {
  for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
    yield path.slice(0, slash);
  }
}
