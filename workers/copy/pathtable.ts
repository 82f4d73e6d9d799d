import { KeyRecords } from './keyfile.ts';

/** What a path is to a row. */
export const KINDS = {
  /** Its destination. */
  file: 0,
  /** Its destination, which ends with a slash where that makes a directory. */
  directory: 1,
  /** A directory that its destination needs. */
  ancestor: 2,
  /** Its source, in the key space of the destinations. */
  source: 3,
} as const;

/** A path has one place for destinations, one for directories that are needed, and one for sources. */
export const PLACES = { destination: 0, ancestor: 1, source: 2 } as const;
const placesPerPath = 3;

function placeOf(kind: number): number {
  if (kind === KINDS.ancestor) return PLACES.ancestor;
  return kind === KINDS.source ? PLACES.source : PLACES.destination;
}

/** Room at first; a power of two. */
const fewPaths = 1024;

/** Different paths, with the first record that came to each of a path's places. What comes later is not kept. */
export class PathTable {
  /** Records that are kept. */
  readonly records = new KeyRecords();
  /** Paths so far, numbered from 0. */
  length = 0;
  /** Record + 1 by path and place; 0 is none. */
  #places = new Int32Array(fewPaths * placesPerPath);
  /** Path + 1 by hash; 0 is free. */
  #slots = new Int32Array(fewPaths * 2);

  /** Forgets all paths. What they took is kept for the next. */
  clear(): void {
    this.length = 0;
    this.records.length = 0;
    this.#places.fill(0);
    this.#slots.fill(0);
  }

  /** The record at a place of a path; -1 where there is none. */
  at(path: number, place: number): number {
    return (this.#places[path * placesPerPath + place] ?? 0) - 1;
  }

  /** The path of a record of others; -1 if it is not known. `isSame` compares it with one of ours of the same hash. */
  find(others: KeyRecords, other: number, isSame: (ours: number) => boolean): number {
    return (this.#slots[this.#slotOf(others, other, isSame)] ?? 0) - 1;
  }

  /** Takes a record of others in. Where its place is taken, returns the record that has it, else -1. */
  add(others: KeyRecords, other: number, isSame: (ours: number) => boolean): number {
    const slot = this.#slotOf(others, other, isSame);
    let path = (this.#slots[slot] ?? 0) - 1;
    if (path < 0) {
      path = this.length;
      this.length += 1;
      this.#slots[slot] = path + 1;
    } else {
      const taken = this.at(path, placeOf(others.kind(other)));
      if (taken >= 0) return taken;
    }
    if (this.#places.length < this.length * placesPerPath) this.#places = doubled(this.#places);
    this.#places[path * placesPerPath + placeOf(others.kind(other))] = this.records.append(others, other) + 1;
    if (this.length * 2 > this.#slots.length) this.#rehash();
    return -1;
  }

  #slotOf(others: KeyRecords, other: number, isSame: (ours: number) => boolean): number {
    const last = this.#slots.length - 1;
    for (let slot = others.word(other, 1) & last; ; slot = (slot + 1) & last) {
      const path = (this.#slots[slot] ?? 0) - 1;
      if (path < 0) return slot;
      const ours = this.#anyOf(path);
      if (this.records.hasHashOf(ours, others, other) && isSame(ours)) return slot;
    }
  }

  #anyOf(path: number): number {
    const destination = this.at(path, PLACES.destination);
    if (destination >= 0) return destination;
    const ancestor = this.at(path, PLACES.ancestor);
    return ancestor >= 0 ? ancestor : this.at(path, PLACES.source);
  }

  #rehash(): void {
    this.#slots = new Int32Array(this.#slots.length * 2);
    const last = this.#slots.length - 1;
    for (let path = 0; path < this.length; path += 1) {
      let slot = this.records.word(this.#anyOf(path), 1) & last;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & last;
      this.#slots[slot] = path + 1;
    }
  }
}

function doubled(numbers: Int32Array): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(numbers.length * 2);
  grown.set(numbers);
  return grown;
}
