import { formatPlanRow, parsePlanRow, type PlanRow } from '../contract/copyplan.ts';
import { SpillFile, type Scratch } from './scratch.ts';

/** A row before it is known what is at its destination. */
export type DraftRow = Omit<PlanRow, 'action'>;

/** Position of the line and size of the object, as doubles. */
const factBytes = 16;
/** Most lines are shorter than what is read at once. */
const usualLine = 512;

/** The rows of a plan while it is worked out: the lines that its shards will consist of, all with action `Copy`. */
export class DraftFile {
  readonly #lines: SpillFile;
  readonly #facts: SpillFile;
  readonly #usual = Buffer.allocUnsafeSlow(usualLine);
  #rows = 0;

  constructor(scratch: Scratch) {
    this.#lines = new SpillFile(scratch, 2 * 1024 ** 2);
    this.#facts = new SpillFile(scratch, 64 * 1024);
  }

  /** Rows so far; the next one has this number. */
  get rows(): number {
    return this.#rows;
  }

  /** Takes a row in and returns the position of its line. */
  add(row: DraftRow): number {
    const position = this.#lines.length;
    const at = this.#lines.room(mostBytes(row));
    const size = this.#lines.tail.write(`${formatPlanRow(row, 'Copy')}\n`, at);
    this.#lines.take(size);
    const fact = this.#facts.room(factBytes);
    this.#facts.tail.writeDoubleLE(position, fact);
    this.#facts.tail.writeDoubleLE(row.size, fact + 8);
    this.#facts.take(factBytes);
    this.#rows += 1;
    return position;
  }

  /** The row whose line is at that position. */
  read(position: number): DraftRow {
    let bytes = this.#lines.read(position, this.#usual);
    let end = bytes.indexOf(0x0a);
    for (let size = usualLine * 8; end < 0; size *= 8) {
      bytes = this.#lines.read(position, Buffer.allocUnsafeSlow(size));
      end = bytes.indexOf(0x0a);
    }
    return parsePlanRow(bytes.toString('utf8', 0, end));
  }

  /** All rows with their numbers and the positions of their lines. */
  *all(): Generator<
    { readonly number: number; readonly position: number; readonly row: DraftRow },
    void,
    undefined
  > {
    for (let first = 0; first < this.#rows; first += blockRows) {
      const block = this.readBlock(first, Math.min(blockRows, this.#rows - first));
      for (let n = 0; n < block.rows; n += 1) {
        const start = block.start(n);
        const line = block.bytes.toString('utf8', start, block.start(n + 1) - 1);
        yield { number: first + n, position: block.position + start, row: parsePlanRow(line) };
      }
    }
  }

  /** Visits the size of every row's object, in bytes. */
  eachSize(visit: (row: number, size: number) => void): void {
    const block = Buffer.allocUnsafeSlow(blockRows * factBytes);
    for (let first = 0; first < this.#rows; first += blockRows) {
      const facts = this.#facts.read(first * factBytes, block);
      for (let n = 0; n * factBytes < facts.length; n += 1)
        visit(first + n, facts.readDoubleLE(n * factBytes + 8));
    }
  }

  /** The lines of some rows that follow each other. Not too many: they are read at once. */
  readBlock(first: number, rows: number): DraftBlock {
    const facts = this.#facts.read(first * factBytes, Buffer.allocUnsafeSlow((rows + 1) * factBytes));
    const starts = Array.from({ length: rows }, (_, n) => facts.readDoubleLE(n * factBytes));
    const position = starts[0] ?? 0;
    const isLast = first + rows === this.#rows;
    const end = isLast ? this.#lines.length : facts.readDoubleLE(rows * factBytes);
    const bytes = this.#lines.read(position, Buffer.allocUnsafeSlow(end - position));
    return {
      rows,
      position,
      bytes,
      start: (n) => (starts[n] ?? end) - position,
    };
  }
}

/** Every character may be escaped as `\u0001`. */
function mostBytes({ source, destination, etag, storageClass = '' }: DraftRow): number {
  return 6 * (source.length + destination.length + etag.length + storageClass.length) + 64;
}

/** Rows that are read together. */
export const blockRows = 1_000;

/** Lines that follow each other. */
export interface DraftBlock {
  readonly rows: number;
  /** Where the first line starts in the file. */
  readonly position: number;
  readonly bytes: Buffer;
  /** Where the n-th line starts in `bytes`; for `rows`, where they end. */
  readonly start: (n: number) => number;
}
