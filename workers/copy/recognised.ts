/**
 * Rows whose content is at their destination under another ETag than their source has, each with the position of the
 * object that is there. Two numbers a row, in typed arrays: a Map would take three times as much.
 */
export class RecognisedRows {
  #rows = new Float64Array(64);
  #positions = new Float64Array(64);
  #length = 0;
  /** Indexes by row; made when it is first asked, because rows come in no order. */
  #order: Uint32Array | undefined;

  get size(): number {
    return this.#length;
  }

  add(row: number, position: number): void {
    if (this.#length === this.#rows.length) {
      this.#rows = doubled(this.#rows);
      this.#positions = doubled(this.#positions);
    }
    this.#rows[this.#length] = row;
    this.#positions[this.#length] = position;
    this.#length += 1;
    this.#order = undefined;
  }

  /** The position of the object at a row's destination; undefined for other rows. */
  positionOf(row: number): number | undefined {
    if (this.#length === 0) return undefined;
    const order = (this.#order ??= this.#sort());
    let [from, to] = [0, order.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.#rowAt(order[middle]) < row) from = middle + 1;
      else to = middle;
    }
    const found = order[from];
    return found !== undefined && this.#rowAt(found) === row ? this.#positions[found] : undefined;
  }

  #rowAt(index: number | undefined): number {
    return this.#rows[index ?? 0] ?? 0;
  }

  #sort(): Uint32Array {
    return Uint32Array.from({ length: this.#length }, (_, n) => n).toSorted(
      (a, b) => this.#rowAt(a) - this.#rowAt(b),
    );
  }
}

function doubled(numbers: Float64Array): Float64Array<ArrayBuffer> {
  const grown = new Float64Array(numbers.length * 2);
  grown.set(numbers);
  return grown;
}
