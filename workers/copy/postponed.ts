import { messageOf } from './blame.ts';
import { Unavailable } from './problems.ts';

/** So many failures in a row raise the question whether the store works at all; fewer are tried again at the end. */
const suspicious = 64;
/** More are not kept for the end. */
const mostPostponed = 1_000;

/** Rows whose requests went on failing, which may be the store's fault or their own. */
export class Postponed<Row> {
  readonly #rows: Row[] = [];
  readonly #areToBlame: () => Promise<boolean>;
  #blamed: Promise<boolean> | undefined;
  #inARow = 0;
  #anySuccess = false;

  /** `areToBlame` tells whether the store does for others what it does for none of these rows; asked once at most. */
  constructor(areToBlame: () => Promise<boolean>) {
    this.#areToBlame = areToBlame;
  }

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

  /** @throws Unavailable where there are too many of them, or so many in a row that the store is to blame. */
  async add(row: Row, error: unknown): Promise<void> {
    this.#inARow += 1;
    this.#rows.push(row);
    const tooMany = this.#rows.length > mostPostponed;
    if (!tooMany && this.#inARow < suspicious) return;
    if (tooMany || !(await (this.#blamed ??= this.#areToBlame())))
      throw new Unavailable(`the store goes on failing: ${messageOf(error)}`);
  }
}
