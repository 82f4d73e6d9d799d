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

/** Why a destination key cannot stand beside another. */
export type Clash =
  | { readonly kind: 'same'; readonly row: number }
  /** One of both is a file where the other needs a directory. */
  | { readonly kind: 'ancestor'; readonly row: number };

/**
 * Proves that no two destinations of a plan exclude each other, exactly, in memory. Rows are numbers of the caller's;
 * `add` and `existing` are all that a proof on disk would have to offer as well.
 */
export class DestinationProof {
  readonly #equivalence: KeyEquivalence;
  readonly #rows = new Map<string, number>();
  /** Directories that planned keys need, with one row that needs them. Only under Posix. */
  readonly #directories = new Map<string, number>();
  readonly #files = new Set<string>();

  constructor(equivalence: KeyEquivalence) {
    this.#equivalence = equivalence;
  }

  /** Takes a destination in; says with which earlier row it clashes, if any. */
  add(row: number, key: string): Clash | undefined {
    const { path, directory } = normaliseKey(key, this.#equivalence);
    const same = this.#rows.get(path);
    if (same !== undefined) return { kind: 'same', row: same };
    this.#rows.set(path, row);
    if (this.#equivalence !== 'Posix') return undefined;
    if (!directory) {
      this.#files.add(path);
      const inside = this.#directories.get(path);
      if (inside !== undefined) return { kind: 'ancestor', row: inside };
    }
    return this.#claimAncestors(row, path);
  }

  /** The row whose destination is this key of the destination bucket, or which it excludes. */
  existing(key: string): Clash | undefined {
    const { path, directory } = normaliseKey(key, this.#equivalence);
    const same = this.#rows.get(path);
    if (same !== undefined) return { kind: 'same', row: same };
    if (this.#equivalence !== 'Posix') return undefined;
    const inside = directory ? undefined : this.#directories.get(path);
    if (inside !== undefined) return { kind: 'ancestor', row: inside };
    for (const ancestor of ancestorsOf(path)) {
      const row = this.#files.has(ancestor) ? this.#rows.get(ancestor) : undefined;
      if (row !== undefined) return { kind: 'ancestor', row };
    }
    return undefined;
  }

  #claimAncestors(row: number, path: string): Clash | undefined {
    for (const ancestor of ancestorsOf(path)) {
      const file = this.#files.has(ancestor) ? this.#rows.get(ancestor) : undefined;
      if (file !== undefined) return { kind: 'ancestor', row: file };
      // Whoever claimed this directory claimed those above it as well, and no file may come there any more unseen.
      if (this.#directories.has(ancestor)) return undefined;
      this.#directories.set(ancestor, row);
    }
    return undefined;
  }
}

/** `a/b`, `a` for `a/b/c`: nearest first. */
function* ancestorsOf(path: string): Generator<string, void, undefined> {
  for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
    yield path.slice(0, slash);
  }
}
