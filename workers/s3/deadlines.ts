/** What can be told that its time is over. */
export interface Expiring {
  expire(): void;
}

interface Entry {
  readonly what: Expiring;
  /** Milliseconds of `performance.now()`. */
  readonly at: number;
}

/** Requests of equal patience, which expire in the order in which they began: only the oldest needs to be watched. */
interface Line {
  readonly entries: Set<Entry>;
  watched: boolean;
}

/** Deadlines of many requests with one timer per length. A timer per request would cost more than signing it. */
export class Deadlines {
  readonly #lines = new Map<number, Line>();

  /** Expires `what` after so many milliseconds, unless the returned function is called first. */
  start(what: Expiring, milliseconds: number): () => void {
    let line = this.#lines.get(milliseconds);
    if (line === undefined) {
      line = { entries: new Set(), watched: false };
      this.#lines.set(milliseconds, line);
    }
    const { entries } = line;
    const entry = { what, at: performance.now() + milliseconds };
    entries.add(entry);
    if (!line.watched) watch(line);
    return () => entries.delete(entry);
  }
}

function watch(line: Line): void {
  const [oldest] = line.entries;
  line.watched = oldest !== undefined;
  if (oldest === undefined) return;
  const check = (): void => {
    const now = performance.now();
    for (const entry of line.entries) {
      if (entry.at > now) break;
      line.entries.delete(entry);
      entry.what.expire();
    }
    watch(line);
  };
  // The socket of a request that waits keeps the process alive; a line that nobody stands in must not.
  setTimeout(check, Math.max(1, oldest.at - performance.now())).unref();
}
