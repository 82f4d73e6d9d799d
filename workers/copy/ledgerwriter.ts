import { setTimeout as sleep } from 'node:timers/promises';
import { ledgerDoneKey, ledgerSegmentKey } from '../contract/keys.ts';
import {
  formatLedgerRow,
  SEGMENT_MILLISECONDS,
  SEGMENT_ROWS,
  type LedgerRow,
  type ShardDone,
} from '../contract/ledger.ts';
import { packLines } from './frames.ts';
import { sha256, type ResultsStore } from './results.ts';

type Segment = ShardDone['segments'][number];

/** Grants for this many segments are asked for ahead: enough for the time an operator may be away. */
const grantsAhead = 64;

/**
 * Writes the ledger of one shard: rows are gathered and become a segment every 5 s (later less often) or 10,000 rows. A
 * row counts as recorded when the store has acknowledged its segment. `open` comes first; `close` writes what is left in
 * every ending.
 */
export class LedgerWriter {
  readonly #results: ResultsStore;
  readonly #where: { readonly stage: string; readonly shard: number; readonly podUID: string };
  readonly #signal: AbortSignal;
  readonly #segments: Segment[] = [];
  readonly #interval: number;
  readonly #start = performance.now();
  #pending: LedgerRow[] = [];
  #sequence = 0;
  #recorded = 0;
  #writing: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    results: ResultsStore,
    where: { readonly stage: string; readonly shard: number; readonly podUID: string },
    signal: AbortSignal,
    interval: number = SEGMENT_MILLISECONDS,
  ) {
    this.#results = results;
    this.#where = where;
    this.#signal = signal;
    this.#interval = interval;
  }

  /** Rows that are safe in the store. */
  get recorded(): number {
    return this.#recorded;
  }

  /** The segments written so far. */
  get segments(): readonly Segment[] {
    return this.#segments;
  }

  /** Leaves a first, empty segment: from now on other pods know that rows may be copied which no ledger has. */
  async open(): Promise<void> {
    this.#writing = this.#writeAfter(this.#writing, []);
    await this.#writing;
    this.#throwFailure();
  }

  /** Takes a row in. @throws what made an earlier segment fail. */
  add(row: LedgerRow): void {
    this.#throwFailure();
    this.#pending.push(row);
    if (this.#pending.length >= SEGMENT_ROWS) this.#cut();
    else this.#timer ??= setTimeout(() => this.#cut(), this.#pause);
  }

  /** A hundredth of the time so far, if that is longer: of a copy of many days the segments could no longer be listed. */
  get #pause(): number {
    return Math.max(this.#interval, (performance.now() - this.#start) / 100);
  }

  /** Waits until at most `rows` of the given number of rows are not recorded yet. */
  async waitForRoom(started: number, rows: number): Promise<void> {
    while (started - this.#recorded >= rows) {
      this.#throwFailure();
      await this.#writing;
      if (started - this.#recorded >= rows) await sleep(20, undefined, { signal: this.#signal });
    }
  }

  /** Writes what is left and waits for the store. */
  async close(): Promise<void> {
    this.#cut();
    await this.#writing;
    this.#throwFailure();
  }

  #cut(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const rows = this.#pending;
    if (rows.length === 0) return;
    this.#pending = [];
    this.#writing = this.#writeAfter(this.#writing, rows);
  }

  /** One segment after the other; the first failure stops them all and is thrown to whoever adds or closes. */
  async #writeAfter(earlier: Promise<void>, rows: readonly LedgerRow[]): Promise<void> {
    await earlier;
    if (this.#failure !== undefined) return;
    try {
      await this.#write(rows);
    } catch (error) {
      this.#failure = { error };
    }
  }

  async #write(rows: readonly LedgerRow[]): Promise<void> {
    const { stage, shard, podUID } = this.#where;
    const key = ledgerSegmentKey(stage, shard, podUID, this.#sequence);
    if (this.#sequence % grantsAhead === 0) {
      const from = this.#sequence;
      const keys = Array.from({ length: grantsAhead }, (_, n) =>
        ledgerSegmentKey(stage, shard, podUID, from + n),
      );
      await this.#results.prepare([...keys, ledgerDoneKey(stage, shard)], this.#signal);
    }
    const frame = await packLines(rows.map(formatLedgerRow));
    // The key carries our pod UID and sequence: if it exists, it is this very segment, whose reply was lost.
    await this.#results.put(key, frame, this.#signal);
    this.#sequence += 1;
    this.#segments.push({ key, rows: rows.length, sha256: sha256(frame) });
    this.#recorded += rows.length;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
