import { describeChanges, formatSeconds, type LiveView, renderLive } from './live.ts';

/** Where the demo writes: redraws in place on a terminal, one line per change elsewhere. */
export class Screen {
  readonly #out: NodeJS.WriteStream;
  #drawn = 0;
  #last: LiveView | undefined;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  get isTerminal(): boolean {
    return this.#out.isTTY;
  }

  /** A line that stays. */
  say(line: string): void {
    this.#erase();
    this.#out.write(`${line}\n`);
  }

  /** Shows a newer view in the place of the last one. */
  show(view: LiveView, now: number): void {
    if (!this.isTerminal) {
      const since = formatSeconds((now - view.appliedAt) / 1000).padStart(9);
      for (const change of describeChanges(this.#last, view)) this.#out.write(`${since}  ${change}\n`);
      this.#last = view;
      return;
    }
    // A view taller than the screen could not be redrawn: its end is left out.
    const lines = renderLive(view, now, this.#out.columns - 1).slice(0, this.#out.rows - 1);
    this.#erase();
    this.#out.write(lines.map((line) => `${line}\n`).join(''));
    this.#drawn = lines.length;
  }

  /** Leaves what is shown where it is; later lines come below. */
  keep(): void {
    this.#drawn = 0;
  }

  #erase(): void {
    if (this.#drawn > 0) this.#out.write(`\u001B[${this.#drawn}A\u001B[J`);
    this.#drawn = 0;
  }
}
