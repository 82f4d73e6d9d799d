import type { KeyHash } from './keyhash.ts';
import { SpillFile, type Scratch } from './scratch.ts';

/** Parts by the first byte of the hash: of a hundred million keys, one part still fits in memory easily. */
export const PARTS = 256;

/** Words of a record: four of the hash, the number of its row, and position and kind in two. */
const WORDS = 7;
const BYTES = WORDS * 4;
const HIGH = 2 ** 32;

/** Hashes of keys with where each came from, divided so that equal ones lie in the same part. */
export class KeyFile {
  readonly #scratch: Scratch;
  readonly #parts: (SpillFile | undefined)[] = [];
  #block: Buffer | undefined;
  #length = 0;

  constructor(scratch: Scratch) {
    this.#scratch = scratch;
  }

  get length(): number {
    return this.#length;
  }

  /** `kind`: up to 255. `row` up to 2^32. `position`: of the key's line in its own file, in bytes. */
  add(hash: KeyHash, kind: number, row: number, position: number): void {
    const part = hash.a >>> 24;
    const file = (this.#parts[part] ??= new SpillFile(this.#scratch, BLOCK * BYTES));
    const at = file.room(BYTES);
    const { tail } = file;
    tail.writeInt32LE(hash.a, at);
    tail.writeInt32LE(hash.b, at + 4);
    tail.writeInt32LE(hash.c, at + 8);
    tail.writeInt32LE(hash.d, at + 12);
    tail.writeInt32LE(row | 0, at + 16);
    tail.writeInt32LE(position | 0, at + 20);
    tail.writeInt32LE((kind << 24) | Math.floor(position / HIGH), at + 24);
    file.take(BYTES);
    this.#length += 1;
  }

  /** The records of one part, in the order in which they were added, some at a time: they are only valid until the next. */
  *read(part: number): Generator<KeyRecords, void, undefined> {
    const file = this.#parts[part];
    if (file === undefined) return;
    // One for all parts: hundreds that are thrown away would pile up, because hardly anything else makes garbage then.
    const block = (this.#block ??= Buffer.allocUnsafeSlow(BLOCK * BYTES));
    for (let position = 0; position < file.length; position += block.length)
      yield new KeyRecords(file.read(position, block));
  }

  /** How many records a part has. */
  lengthOf(part: number): number {
    return (this.#parts[part]?.length ?? 0) / BYTES;
  }
}

/** Records that are read together. */
const BLOCK = 2048;

/** Records of a key file, by number. */
export class KeyRecords {
  length: number;
  #bytes: Buffer;

  constructor(bytes: Buffer = Buffer.allocUnsafeSlow(0)) {
    this.#bytes = bytes;
    this.length = Math.floor(bytes.length / BYTES);
  }

  /** A word of the hash, 0 to 3. */
  word(record: number, which: number): number {
    return this.#bytes.readInt32LE(record * BYTES + which * 4);
  }

  row(record: number): number {
    return this.#bytes.readUInt32LE(record * BYTES + 16);
  }

  position(record: number): number {
    const low = this.#bytes.readUInt32LE(record * BYTES + 20);
    return low + (this.#bytes.readUInt32LE(record * BYTES + 24) & 0xffffff) * HIGH;
  }

  kind(record: number): number {
    return this.#bytes.readUInt8(record * BYTES + 27);
  }

  /** Whether a record has the hash of a record of others. */
  hasHashOf(record: number, others: KeyRecords, other: number): boolean {
    return (
      this.word(record, 1) === others.word(other, 1) &&
      this.word(record, 0) === others.word(other, 0) &&
      this.word(record, 2) === others.word(other, 2) &&
      this.word(record, 3) === others.word(other, 3)
    );
  }

  /** Appends a record of others and returns its number. */
  append(others: KeyRecords, other: number): number {
    const record = this.length;
    const at = record * BYTES;
    if (at + BYTES > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(BLOCK * BYTES, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, at);
      this.#bytes = grown;
    }
    others.#bytes.copy(this.#bytes, at, other * BYTES, (other + 1) * BYTES);
    this.length += 1;
    return record;
  }
}
