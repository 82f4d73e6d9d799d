/** How the rows of a plan are shared out among the workers of its stage. Pure. */
import { SHARD_ROWS, type RowAction } from '../contract/copyplan.ts';

/** Rows that follow each other in the plan and are never parted. */
export interface Piece {
  /** Number of its first row in the plan. */
  readonly first: number;
  readonly rows: number;
  readonly weight: number;
  /** To be copied. */
  readonly bytes: number;
}

/** One shard: pieces in the order of the plan, and the worker that copies it. */
export interface DealtShard {
  readonly index: number;
  readonly pieces: readonly Piece[];
}

export interface Deal {
  /** Workers that have work: at most as many as the stage has, at least one. */
  readonly workers: number;
  /** Each worker's longest first. */
  readonly shards: readonly DealtShard[];
}

/** As long as one object takes beyond its bytes, this many bytes can be copied. */
export const OBJECT_BYTES = 64 * 1024 ** 2;
/** A row that only goes from the plan to the ledger. */
const RECORD_WEIGHT = 1 / 64;

/** How much work a row is, in small objects. */
export function weighRow(action: RowAction, size: number, mode: 'Copy' | 'Move'): number {
  if (action === 'Copy') return 1 + size / OBJECT_BYTES;
  // Nothing is copied, but in mode Move the source is looked at and deleted.
  return mode === 'Move' && action === 'Skip' ? 1 : RECORD_WEIGHT;
}

/** Workers that a copy may have, and how much work makes another one worth its start. */
export interface Crew {
  readonly most: number;
  /** In small objects, as {@link weighRow} counts. */
  readonly share: number;
}

/** How many workers there is work for: each has at least the share, and there is always one. */
export function countWorkers(total: number, { most, share }: Crew): number {
  return Math.max(1, Math.min(most, Math.floor(total / share)));
}

/** Pieces per worker: with sixteen, the dealing is at most a sixteenth off the mean (or one object, if that is more). */
const PIECES_PER_WORKER = 16;
/** Small enough to fill shards without much waste. */
const PIECE_ROWS = SHARD_ROWS / 10;

/** Cuts a stream of rows, known by their weights, into pieces to be dealt. */
export class PieceCutter {
  readonly #pieces: Piece[] = [];
  readonly #heaviest: number;
  #first = 0;
  #rows = 0;
  #weight = 0;
  #bytes = 0;

  /** `total`: what all rows weigh together. With one worker there is nothing to balance. */
  constructor(total: number, workers: number) {
    this.#heaviest = workers === 1 ? Number.POSITIVE_INFINITY : total / (workers * PIECES_PER_WORKER);
  }

  /** Takes the next row in. */
  add(weight: number, bytes: number): void {
    if (this.#rows > 0 && (this.#rows === PIECE_ROWS || this.#weight + weight > this.#heaviest)) this.#cut();
    this.#rows += 1;
    this.#weight += weight;
    this.#bytes += bytes;
  }

  /** All pieces, once there are no more rows. */
  finish(): readonly Piece[] {
    if (this.#rows > 0) this.#cut();
    return this.#pieces;
  }

  #cut(): void {
    this.#pieces.push({ first: this.#first, rows: this.#rows, weight: this.#weight, bytes: this.#bytes });
    this.#first += this.#rows;
    this.#rows = 0;
    this.#weight = 0;
    this.#bytes = 0;
  }
}

/** Deals pieces to at most `most` workers, the heaviest first and each to whoever has least, and makes shards of them. */
export function dealPieces(pieces: readonly Piece[], most: number): Deal {
  const count = Math.max(1, Math.min(most, pieces.length));
  const hands = Array.from({ length: count }, (_, index): Hand => ({ index, weight: 0, pieces: [] }));
  const heap = [...hands];
  // The sort is stable, so equal pieces stay in the order of the plan and every try deals alike.
  for (const piece of pieces.toSorted((a, b) => b.weight - a.weight)) {
    const [least] = heap;
    least?.pieces.push(piece);
    if (least !== undefined) least.weight += piece.weight;
    sink(heap);
  }
  return { workers: hands.length, shards: hands.flatMap((hand) => packShards(hand.pieces, hand.index)) };
}

/** What one worker has been dealt. */
interface Hand {
  readonly index: number;
  readonly pieces: Piece[];
  weight: number;
}

const hasLess = (a: Hand, b: Hand): boolean =>
  a.weight < b.weight || (a.weight === b.weight && a.index < b.index);

/** Puts the first hand of a binary heap, which has just become heavier, where it belongs. */
function sink(heap: Hand[]): void {
  let at = 0;
  for (;;) {
    const hand = heap[at];
    const left = heap[2 * at + 1];
    const right = heap[2 * at + 2];
    if (hand === undefined || left === undefined) return;
    const lesser = right !== undefined && hasLess(right, left) ? 2 * at + 2 : 2 * at + 1;
    const child = heap[lesser];
    if (child === undefined || hasLess(hand, child)) return;
    heap[at] = child;
    heap[lesser] = hand;
    at = lesser;
  }
}

/** A worker's pieces in as few shards as hold them, so that it need not stop and start between small ones. */
function packShards(dealt: readonly Piece[], index: number): DealtShard[] {
  const shards: Piece[][] = [];
  let rows = SHARD_ROWS;
  for (const piece of dealt.toSorted((a, b) => a.first - b.first)) {
    if (rows + piece.rows > SHARD_ROWS) {
      shards.push([]);
      rows = 0;
    }
    shards.at(-1)?.push(piece);
    rows += piece.rows;
  }
  return shards
    .map((pieces) => ({ index, pieces }))
    .toSorted((a, b) => weightOf(b.pieces) - weightOf(a.pieces));
}

/** What pieces weigh together. */
export function weightOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, piece) => sum + piece.weight, 0);
}
