import { messageOf } from './blame.ts';
import { Unavailable } from './problems.ts';

/** So many rows in a row that fail for want of a working store end the stage; fewer are tried again at its end. */
const hopeless = 64;
/** The same for failures between successes: more are not kept for the end. */
const mostPostponed = 1_000;

/** Rows whose requests went on failing, which may be the store's fault or their own. */
export class Postponed<Row> {
  readonly #rows: Row[] = [];
  #inARow = 0;
  #anySuccess = false;

  /** In the order in which they failed. */
  get rows(): readonly Row[] {
    return this.#rows;
  }

  /** Whether any other row was done. */
  get anySuccess(): boolean {
    return this.#anySuccess;
  }

  succeeded(): void {
    this.#inARow = 0;
    this.#anySuccess = true;
  }

  /** @throws Unavailable where there are too many of them to blame the objects. */
  add(row: Row, error: unknown): void {
    this.#inARow += 1;
    this.#rows.push(row);
    if (this.#inARow >= hopeless || this.#rows.length > mostPostponed)
      throw new Unavailable(`the store goes on failing: ${messageOf(error)}`);
  }
}
