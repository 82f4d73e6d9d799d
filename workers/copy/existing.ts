import { setImmediate } from 'node:timers/promises';
import type { ListedObject } from '../s3/listing.ts';
import { DraftFile } from './draftfile.ts';
import { ancestorsOf, isPath, normaliseKey } from './equivalence.ts';
import { KeyFile, PARTS } from './keyfile.ts';
import type { KeyFilter } from './keyfilter.ts';
import { KINDS, PLACES, type PathTable } from './pathtable.ts';
import type { PlanProof } from './proof.ts';
import type { Scratch } from './scratch.ts';

/** An object of the destination that has to do with a row of the plan. */
export interface Met {
  /** `same`: it is at the row's destination. `ancestor`: one of both would have to be a directory. */
  readonly kind: 'same' | 'ancestor';
  readonly row: number;
  /** Of the row's line. */
  readonly position: number;
  /** Of the object in its file. */
  readonly existing: number;
}

/** Objects that exist at the destination. Of a listing only those are kept whose hash a plan may have. */
export class ExistingObjects {
  readonly #proof: PlanProof;
  readonly #keys: KeyFile;
  readonly #objects: DraftFile;
  #places: KeyFilter | undefined;
  #files: KeyFilter | undefined;

  constructor(proof: PlanProof, scratch: Scratch) {
    this.#proof = proof;
    this.#keys = new KeyFile(scratch);
    this.#objects = new DraftFile(scratch);
  }

  /** Takes an object of the listing in. The proof must be complete. */
  add({ key, etag, size }: ListedObject): void {
    const { hash, space } = this.#proof;
    this.#places ??= this.#proof.filter((kind) => kind !== KINDS.source);
    const { path, directory } = normaliseKey(key, space.equivalence);
    let position = -1;
    const keep = (kind: number): void => {
      if (position < 0) position = this.#objects.add({ source: key, etag, size, destination: '' });
      this.#keys.add(hash, kind, this.#objects.rows - 1, position);
    };
    hash.take(path);
    if (this.#places.mayHave(hash)) keep(directory ? KINDS.directory : KINDS.file);
    if (!isPath(space.equivalence)) return;
    this.#files ??= this.#proof.filter((kind) => kind === KINDS.file);
    for (const ancestor of ancestorsOf(path)) {
      hash.take(ancestor);
      if (this.#files.mayHave(hash)) keep(KINDS.ancestor);
    }
  }

  /** An object that was kept. */
  read(existing: number): { readonly key: string; readonly etag: string; readonly size: number } {
    const { source: key, etag, size } = this.#objects.read(existing);
    return { key, etag, size };
  }

  /** Finds everything that meets a row. */
  async meet(found: (met: Met) => void): Promise<void> {
    if (this.#keys.length === 0) return;
    for (let part = 0; part < PARTS; part += 1) {
      if (this.#keys.lengthOf(part) === 0) continue;
      this.#meetPart(this.#proof.table(part), part, found);
      await setImmediate();
    }
  }

  #meetPart(table: PathTable, part: number, found: (met: Met) => void): void {
    const { records } = table;
    for (const block of this.#keys.read(part)) {
      let current = 0;
      const isSame = (ours: number): boolean =>
        this.#isAt(block.position(current), block.kind(current), this.#proof.pathOf(records, ours));
      for (; current < block.length; current += 1) {
        const path = table.find(block, current, isSame);
        if (path < 0) continue;
        const kind = block.kind(current);
        const destination = table.at(path, PLACES.destination);
        const existing = block.position(current);
        const meet = (how: Met['kind'], record: number): void =>
          found({ kind: how, row: records.row(record), position: records.position(record), existing });
        if (kind === KINDS.ancestor) {
          if (destination >= 0 && records.kind(destination) === KINDS.file) meet('ancestor', destination);
        } else if (destination >= 0) {
          meet('same', destination);
        } else {
          const ancestor = table.at(path, PLACES.ancestor);
          if (ancestor >= 0 && kind === KINDS.file) meet('ancestor', ancestor);
        }
      }
    }
  }

  /** Whether an object's key is that path, or for an ancestor, lies inside it. */
  #isAt(existing: number, kind: number, path: string): boolean {
    const own = normaliseKey(this.#objects.read(existing).source, this.#proof.space.equivalence).path;
    return kind === KINDS.ancestor ? own.startsWith(`${path}/`) : own === path;
  }
}
