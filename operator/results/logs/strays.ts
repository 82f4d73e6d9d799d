/**
 * Lines without a time in the stream of a log: a sentence of the kubelet about the log, not a part of it. After a restart the
 * first may be the rest of a line that is known.
 */

/** How kubelets begin when the container is removed: their runtime does not know it, or just before, its file is gone. */
const REMOVED = ['unable to retrieve container logs', 'failed to try resolving symlinks'];

/** How kubelets begin when they have no log. */
const EXCUSES = [...REMOVED, 'failed to watch file'];

export class Strays {
  #forgive: boolean;
  /**
   * Of the last one, in words of our own: it may be a part of the log all the same, and nothing that was not masked is
   * stored.
   */
  meaning: string | undefined;
  #lines = 0;

  /** `restarted`: what was read last may have been in the middle of a line. */
  constructor(restarted: boolean) {
    this.#forgive = restarted;
  }

  /** A line without a time. */
  note(text: string): void {
    this.meaning =
      EXCUSES.find((excuse) => text.startsWith(excuse)) ?? 'lines came that do not begin with a time';
  }

  /** Nothing came but the word that the container is removed. */
  get removed(): boolean {
    return this.#lines === 0 && this.meaning !== undefined && REMOVED.includes(this.meaning);
  }

  /** A line of the log. */
  passed(): void {
    this.#lines += 1;
    if (this.#forgive) this.meaning = undefined;
    this.#forgive = false;
  }
}
