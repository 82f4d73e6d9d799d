import { setImmediate } from 'node:timers/promises';
import type { KeyEquivalence } from '../contract/copyplan.ts';
import type { DraftFile, DraftRow } from './draftfile.ts';
import { ancestorsOf, isPath, isSurelyOne, normaliseKey } from './equivalence.ts';
import { KeyFile, PARTS, type KeyRecords } from './keyfile.ts';
import { KeyFilter } from './keyfilter.ts';
import { KeyHash } from './keyhash.ts';
import { KINDS, PathTable, PLACES } from './pathtable.ts';
import { RowSet } from './rowset.ts';
import type { Scratch } from './scratch.ts';

/** Which keys exclude each other: how the destination compares keys, and whether sources are keys of the same bucket. */
export interface KeySpace {
  readonly equivalence: KeyEquivalence;
  readonly oneSpace: boolean;
}

/** Why two rows cannot both be carried out. Positions are those of their lines. */
export interface Clash {
  /**
   * - `same`: both have one destination.
   * - `ancestor`: the destination of `other` is a file where that of `row` needs a directory.
   * - `chain`: the destination of `row` is the source of `other`, which may be the same row.
   */
  readonly kind: 'same' | 'ancestor' | 'chain';
  readonly row: number;
  readonly otherRow: number;
  readonly position: number;
  readonly otherPosition: number;
}

/** Directories that were claimed lately; a listing has those of one directory together. */
const rememberedDirectories = 4096;

/**
 * Proves that no two rows of a plan exclude each other: hashes of all keys, divided so that a part fits in memory, and
 * where two are equal the keys themselves.
 */
export class PlanProof {
  readonly space: KeySpace;
  /** Rows whose destination is their own source. */
  readonly unchanged = new RowSet();
  readonly hash: KeyHash;
  readonly #drafts: DraftFile;
  readonly #keys: KeyFile;
  readonly #directories = new Set<string>();
  readonly #table = new PathTable();

  constructor(drafts: DraftFile, space: KeySpace, scratch: Scratch, hash = new KeyHash()) {
    this.#drafts = drafts;
    this.space = space;
    this.hash = hash;
    this.#keys = new KeyFile(scratch);
  }

  /** Takes a row in. Rows come in order. */
  add(row: number, position: number, { source, destination }: DraftRow): void {
    const { equivalence, oneSpace } = this.space;
    const { path, directory } = normaliseKey(destination, equivalence);
    this.#claim(path, directory ? KINDS.directory : KINDS.file, row, position);
    if (isPath(equivalence)) this.#claimDirectories(path, row, position);
    if (!oneSpace) return;
    const from = normaliseKey(source, equivalence).path;
    // A row whose keys may be one, but need not, is a chain of its own.
    if (from === path && isSurelyOne(source, destination, equivalence)) this.unchanged.add(row);
    else this.#claim(from, KINDS.source, row, position);
  }

  /** Finds all clashes. Lets other work of the process go on between the parts. */
  async findClashes(found: (clash: Clash) => void): Promise<void> {
    for (let part = 0; part < PARTS; part += 1) {
      if (this.#keys.lengthOf(part) === 0) continue;
      const table = this.table(part, found);
      const { records } = table;
      for (let path = 0; path < table.length; path += 1) {
        const destination = table.at(path, PLACES.destination);
        if (destination < 0) continue;
        const ancestor = table.at(path, PLACES.ancestor);
        const source = table.at(path, PLACES.source);
        if (ancestor >= 0 && records.kind(destination) === KINDS.file)
          found(clashOf('ancestor', records, ancestor, records, destination));
        if (source >= 0) found(clashOf('chain', records, destination, records, source));
      }
      await setImmediate();
    }
  }

  /** The paths of one part, to look for other keys among them; good until the next call. `taken` hears of destinations that have another row. */
  table(part: number, taken: (clash: Clash) => void = () => undefined): PathTable {
    const table = this.#table;
    table.clear();
    for (const block of this.#keys.read(part)) {
      let current = 0;
      const isSame = (ours: number): boolean =>
        this.pathOf(table.records, ours) === this.pathOf(block, current);
      for (; current < block.length; current += 1) {
        const first = table.add(block, current, isSame);
        if (first >= 0 && block.kind(current) <= KINDS.directory)
          taken(clashOf('same', block, current, table.records, first));
      }
    }
    return table;
  }

  /** A filter of the paths that some kinds of record stand for. */
  filter(wanted: (kind: number) => boolean): KeyFilter {
    const filter = new KeyFilter(this.#keys.length);
    for (let part = 0; part < PARTS; part += 1) {
      for (const block of this.#keys.read(part)) {
        for (let record = 0; record < block.length; record += 1) {
          if (!wanted(block.kind(record))) continue;
          filter.add(block.word(record, 1), block.word(record, 2), block.word(record, 3));
        }
      }
    }
    return filter;
  }

  /** The path of a record. */
  pathOf(records: KeyRecords, record: number): string {
    const row = this.#drafts.read(records.position(record));
    const { equivalence } = this.space;
    const kind = records.kind(record);
    if (kind === KINDS.source) return normaliseKey(row.source, equivalence).path;
    const { path } = normaliseKey(row.destination, equivalence);
    return kind === KINDS.ancestor ? findAncestor(path, records, record, this.hash) : path;
  }

  #claim(path: string, kind: number, row: number, position: number): void {
    this.hash.take(path);
    this.#keys.add(this.hash, kind, row, position);
  }

  #claimDirectories(path: string, row: number, position: number): void {
    for (const ancestor of ancestorsOf(path)) {
      // Whoever claimed this directory claimed those above it as well.
      if (this.#directories.has(ancestor)) return;
      if (this.#directories.size >= rememberedDirectories) this.#directories.clear();
      this.#directories.add(ancestor);
      this.#claim(ancestor, KINDS.ancestor, row, position);
    }
  }
}

function clashOf(
  kind: Clash['kind'],
  records: KeyRecords,
  record: number,
  others: KeyRecords,
  other: number,
): Clash {
  const [position, otherPosition] = [records.position(record), others.position(other)];
  return { kind, row: records.row(record), otherRow: others.row(other), position, otherPosition };
}

/** The directory above a path that a record stands for. */
function findAncestor(path: string, records: KeyRecords, record: number, hash: KeyHash): string {
  for (const ancestor of ancestorsOf(path)) {
    hash.take(ancestor);
    if (hash.a === records.word(record, 0) && hash.b === records.word(record, 1)) {
      if (hash.c === records.word(record, 2) && hash.d === records.word(record, 3)) return ancestor;
    }
  }
  throw new Error('a directory of the plan is above none of its keys');
}
