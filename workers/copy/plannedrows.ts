import {
  ACTION_OFFSET,
  actionByte,
  formatPlanRow,
  parsePlanRow,
  type RowAction,
} from '../contract/copyplan.ts';
import { countWorkers, PieceCutter, weighRow, type Crew, type Piece } from './deal.ts';
import { blockRows } from './draftfile.ts';
import type { ProvedPlan } from './plan.ts';

/** The rows of a proved plan, each with its action, read from the scratch files some at a time. */
export class PlannedRows {
  readonly #proved: Pick<ProvedPlan, 'drafts' | 'skipped' | 'unchanged' | 'existingEtag'>;
  readonly #mode: 'Copy' | 'Move';

  constructor(
    proved: Pick<ProvedPlan, 'drafts' | 'skipped' | 'unchanged' | 'existingEtag'>,
    mode: 'Copy' | 'Move',
  ) {
    this.#proved = proved;
    this.#mode = mode;
  }

  /** Cuts all rows into pieces that can be dealt to as many workers as there is work for. */
  cut(crew: Crew): { readonly workers: number; readonly pieces: readonly Piece[] } {
    let total = 0;
    this.#eachWeight((weight) => {
      total += weight;
    });
    const workers = countWorkers(total, crew);
    const cutter = new PieceCutter(total, workers);
    this.#eachWeight((weight, bytes) => cutter.add(weight, bytes));
    return { workers, pieces: cutter.finish() };
  }

  /** The lines of some pieces as they stand in a shard. */
  *lines(pieces: readonly Piece[]): Generator<Buffer, void, undefined> {
    for (const piece of pieces) {
      for (let done = 0; done < piece.rows; done += blockRows) {
        const first = piece.first + done;
        const block = this.#proved.drafts.readBlock(first, Math.min(blockRows, piece.rows - done));
        let from = 0;
        for (let n = 0; n < block.rows; n += 1) {
          const action = this.#actionOf(first + n);
          if (action === 'Copy') continue;
          const start = block.start(n);
          block.bytes[start + ACTION_OFFSET] = actionByte(action);
          const destinationEtag = this.#proved.existingEtag(first + n);
          if (destinationEtag === undefined) continue;
          const end = block.start(n + 1);
          const row = parsePlanRow(block.bytes.toString('utf8', start, end - 1));
          yield block.bytes.subarray(from, start);
          yield Buffer.from(`${formatPlanRow({ ...row, destinationEtag }, action)}\n`);
          from = end;
        }
        yield block.bytes.subarray(from);
      }
    }
  }

  /** Visits what is done with every row, and the size of its object in bytes. */
  each(visit: (action: RowAction, size: number) => void): void {
    this.#proved.drafts.eachSize((row, size) => visit(this.#actionOf(row), size));
  }

  #eachWeight(visit: (weight: number, bytes: number) => void): void {
    this.each((action, size) => visit(weighRow(action, size, this.#mode), action === 'Copy' ? size : 0));
  }

  #actionOf(row: number): RowAction {
    if (this.#proved.skipped.has(row)) return 'Skip';
    return this.#proved.unchanged.has(row) ? 'Unchanged' : 'Copy';
  }
}
