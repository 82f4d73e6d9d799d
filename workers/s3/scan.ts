/**
 * Walks the bytes of a listing, element by element. It knows how S3 writes XML (elements without attributes or comments)
 * and refuses everything else: a listing is the largest answer there is, and no document is ever built from it.
 */

const LESS = 0x3c;
const GREATER = 0x3e;
const SLASH = 0x2f;
const SPACE = 0x20;

/** The fields of a listed object, by the bytes of their names. */
export type Field = 'Key' | 'Size' | 'ETag' | 'LastModified' | 'StorageClass';

/** Reads the elements inside one parent. After `next` returned true, `field`, `start` and `end` say what was found. */
export class ElementCursor {
  /** Undefined for elements that nobody asks for. */
  field: Field | undefined;
  /** The text of the element: bytes from `start` up to `end`. */
  start = 0;
  end = 0;
  /** Where the walk goes on; after the last element, the first byte behind the parent. */
  at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /**
   * Moves to the next element. False at the parent's end tag, or where the bytes end or are no XML of this kind: then
   * `at` is -1.
   */
  next(): boolean {
    const bytes = this.#bytes;
    let at = this.at;
    while ((bytes[at] ?? LESS) <= SPACE) at += 1;
    if (bytes[at] !== LESS) return this.#fail();
    const name = at + 1;
    const nameEnd = this.#find(GREATER, name);
    if (nameEnd < 0) return this.#fail();
    if (bytes[name] === SLASH) {
      this.at = nameEnd + 1;
      return false;
    }
    this.field = this.#fieldOf(name, nameEnd);
    this.start = nameEnd + 1;
    if (bytes[nameEnd - 1] === SLASH) {
      this.end = this.start;
      this.at = this.start;
      return true;
    }
    this.end = this.#find(LESS, this.start);
    if (this.end < 0) return this.#fail();
    if (bytes[this.end + 1] === SLASH) {
      // `</` + name + `>`
      this.at = this.end + (nameEnd - name) + 3;
      return this.at <= bytes.length && bytes[this.at - 1] === GREATER ? true : this.#fail();
    }
    return this.#skipNested(name, nameEnd);
  }

  #skipNested(name: number, nameEnd: number): boolean {
    const close = `</${this.#bytes.toString('latin1', name, nameEnd)}>`;
    this.end = this.#bytes.indexOf(close, this.end, 'latin1');
    if (this.end < 0) return this.#fail();
    this.at = this.end + close.length;
    return true;
  }

  #find(byte: number, from: number): number {
    const bytes = this.#bytes;
    const { length } = bytes;
    for (let at = from; at < length; at += 1) if (bytes[at] === byte) return at;
    return -1;
  }

  #fieldOf(name: number, end: number): Field | undefined {
    const bytes = this.#bytes;
    switch (end - name) {
      case 3:
        return bytes[name] === 0x4b && bytes[name + 2] === 0x79 ? 'Key' : undefined;
      case 4:
        if (bytes[name] === 0x53 && bytes[name + 3] === 0x65) return 'Size';
        return bytes[name] === 0x45 && bytes[name + 1] === 0x54 ? 'ETag' : undefined;
      case 12:
        if (bytes[name] === 0x4c && bytes[name + 4] === 0x4d) return 'LastModified';
        return bytes[name] === 0x53 && bytes[name + 7] === 0x43 ? 'StorageClass' : undefined;
      default:
        return undefined;
    }
  }

  #fail(): false {
    this.at = -1;
    return false;
  }
}
