import type { PlanIndex } from '../contract/copyplan.ts';

/** Which different keys a destination takes for one. */
export type KeyEquivalence = PlanIndex['keyEquivalence'];

/** A key as its destination sees it. Under Posix a trailing slash makes a directory of the same path. */
export interface NormalisedKey {
  readonly path: string;
  readonly directory: boolean;
}

/** The form in which equivalent keys are equal. */
export function normaliseKey(key: string, equivalence: KeyEquivalence): NormalisedKey {
  switch (equivalence) {
    case 'NFC':
      return { path: key.normalize('NFC'), directory: false };
    case 'CaseInsensitive':
      return { path: key.normalize('NFC').toLowerCase(), directory: false };
    case 'Posix':
      return { path: posixPath(key), directory: key.endsWith('/') };
    case 'Exact':
    default:
      return { path: key, directory: false };
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
