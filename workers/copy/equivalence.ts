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
      return key.normalize('NFC').toLowerCase();
    case 'Exact':
    case 'Posix':
    default:
      return key;
  }
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
