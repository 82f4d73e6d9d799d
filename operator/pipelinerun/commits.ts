/**
 * Records on their way to the store, beside the queue: one may wait minutes for the end of a log or for the store, and
 * whoever starts, cancels or deletes another run shares the queue's workers with it.
 */
import type { Key } from '../kube/key.ts';
import { CommitPlaces } from './commitplaces.ts';
import type { Stored } from './types.ts';

export class Commits {
  readonly places = new CommitPlaces();
  readonly #requeue: (key: Key) => void;
  /** By the UID of the run, the try that goes on. */
  readonly #trying = new Map<string, Promise<void>>();
  readonly #answers = new Map<string, Stored>();

  /** `requeue` brings the run back once there is an answer. */
  constructor(requeue: (key: Key) => void) {
    this.#requeue = requeue;
  }

  /** What the last try has come to, until that is forgotten. */
  answer(runUID: string): Stored | undefined {
    return this.#answers.get(runUID);
  }

  /**
   * Begins a try unless one goes on, or has come to something that nobody has acted upon: of one run there are never two
   * at once, and there is a pause between them. The work must not reject; it answers undefined when it was ended before
   * it came to anything.
   */
  begin(key: Key, runUID: string, work: () => Promise<Stored | undefined>): void {
    if (this.#trying.has(runUID) || this.#answers.has(runUID)) return;
    this.#trying.set(runUID, this.#try(key, runUID, work));
  }

  /** The answer was acted upon, or the run is gone. */
  forget(runUID: string): void {
    this.#answers.delete(runUID);
    // A try that still goes on has nobody left to answer to.
    void this.#trying.get(runUID)?.then(() => this.#answers.delete(runUID));
  }

  /** Resolves when no try goes on. */
  async settled(): Promise<void> {
    while (this.#trying.size > 0) await Promise.all(this.#trying.values());
  }

  async #try(key: Key, runUID: string, work: () => Promise<Stored | undefined>): Promise<void> {
    const answer = await work();
    this.#trying.delete(runUID);
    if (answer !== undefined) this.#answers.set(runUID, answer);
    this.#requeue(key);
  }
}
