/** Where progress is shown: one line that is drawn over on a terminal, a line now and then elsewhere. */
import { escapeControls } from '../printable.ts';

/** The part of a stream that is needed, so that tests can read along. */
export interface Output {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

const CLEAR_LINE = '\r\u001b[2K';

export class Screen {
  readonly #output: Output;
  readonly #quiet: boolean;
  #drawn = false;

  constructor(output: Output, quiet: boolean) {
    this.#output = output;
    this.#quiet = quiet;
  }

  get terminal(): boolean {
    return this.#output.isTTY === true;
  }

  get columns(): number {
    return this.#output.columns ?? 80;
  }

  /** A line that stays. */
  say(text: string): void {
    this.clear();
    this.#output.write(`${text.split('\n').map(escapeControls).join('\n')}\n`);
  }

  /** A line of progress: stays, unless nobody wants progress. */
  tell(text: string): void {
    if (!this.#quiet) this.say(text);
  }

  /** Draws over what was drawn before; only on a terminal. */
  draw(text: string): void {
    if (this.#quiet || !this.terminal) return;
    this.#output.write(`${CLEAR_LINE}${text}`);
    this.#drawn = true;
  }

  /** Removes what was drawn. */
  clear(): void {
    if (!this.#drawn) return;
    this.#output.write(CLEAR_LINE);
    this.#drawn = false;
  }
}
