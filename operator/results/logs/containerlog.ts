/** The log of one container as it is stored so far: takes lines, cuts chunks, and knows where it stands. */
import { encodeFrame, MAX_FRAME_BYTES, type LogContainer } from '../../../workers/contract/logframes.ts';
import type { ChunkEntry } from '../../../workers/contract/manifests.ts';
import type { AttemptKey } from '../../../workers/contract/keys.ts';
import type { Clock } from '../../kube/clock.ts';
import { FrameBatch } from './batch.ts';
import type { ChunkSink } from './chunksink.ts';
import type { LinePiece } from './lines.ts';
import { CUT_AFTER_MS, cutAfterMs, cutBytes } from './cut.ts';
import type { RecentFrames, Replay } from './recent.ts';
import { MASK, Redactor, type SecretPattern } from './redact.ts';
import type { StoredPosition } from './resume.ts';

export interface ContainerLogOptions {
  container: LogContainer;
  prefix: string;
  attempt: AttemptKey;
  sink: ChunkSink;
  clock: Clock;
  patterns?: readonly SecretPattern[] | undefined;
  /** What is stored already. */
  stored: StoredPosition;
  /** After each stored chunk. */
  onChunk(entry: ChunkEntry): void;
  signal: AbortSignal;
}

/** What was taken of a log and is not stored yet. */
export interface HeldBytes {
  /** Offset of the first byte in the stream of the container. */
  rawOff: number;
  raw: readonly Buffer[];
}

export class ContainerLog {
  readonly #options: ContainerLogOptions;
  readonly #recent: RecentFrames;
  readonly #redactor: Redactor;
  readonly #batch = new FrameBatch();
  #replay: Replay;
  #heldBytes = 0;
  #place: { nth: number; rawOff: number; line0: number };
  /** The chunk that is on its way, or could not be stored. */
  #sending: Buffer | undefined;
  /** Time of the first line of the log. */
  #begun: string | undefined;
  #hurried = false;
  #uploading: Promise<void> | undefined;
  #stopTimer: (() => void) | undefined;
  #discarded = false;

  constructor(options: ContainerLogOptions) {
    this.#options = options;
    const { nth, rawOff, line0, begun } = options.stored;
    this.#place = { nth, rawOff, line0 };
    this.#begun = begun;
    this.#recent = options.stored.recent;
    this.#replay = this.#recent.replay();
    this.#redactor = new Redactor(options.patterns);
  }

  /** A reader starts; returns the time it must start from. */
  restart(): string | undefined {
    this.#replay = this.#recent.replay();
    this.#redactor.restart();
    return this.#recent.since;
  }

  /** Takes a piece of a line. Pieces come in the order of the log. */
  add(piece: LinePiece & { time: string }): void {
    const text = this.#redactor.take(piece.text, piece.end);
    const bytes = Buffer.from(text, 'latin1');
    let at = 0;
    do {
      const last = at + MAX_FRAME_BYTES >= bytes.length;
      const partial = !(last && piece.end);
      // An unfinished piece of which nothing may be stored yet leaves no frame.
      if (bytes.length > 0 || piece.end)
        this.#addFrame(piece.time, partial, bytes.subarray(at, at + MAX_FRAME_BYTES));
      at += MAX_FRAME_BYTES;
    } while (at < bytes.length);
  }

  /** The end of a log whose last line has no newline: what the redactor held back is part of it. */
  addUnfinished(piece: LinePiece & { time: string }): void {
    const text = this.#redactor.take(piece.text, true);
    const bytes = Buffer.from(text, 'latin1');
    for (let at = 0; at < bytes.length; at += MAX_FRAME_BYTES)
      this.#addFrame(piece.time, true, bytes.subarray(at, at + MAX_FRAME_BYTES));
  }

  /** Resolves as soon as there is room for more. */
  async makeRoom(): Promise<void> {
    while (this.#batch.full || (this.#options.sink.overloaded && !this.#batch.empty)) await this.#upload();
  }

  /** Stores everything that was taken. */
  async flush(): Promise<void> {
    while (this.#sending !== undefined || this.#uploading !== undefined || !this.#batch.empty)
      await this.#upload();
  }

  /** What is not stored yet, all of which comes right after what is. */
  get held(): HeldBytes {
    const sending = this.#sending === undefined ? [] : [this.#sending];
    return { rawOff: this.#place.rawOff, raw: [...sending, ...this.#batch.waiting] };
  }

  /** Somebody waits for the end of this log: from now on no byte waits longer than it must. */
  hurry(): void {
    this.#hurried = true;
    if (this.#stopTimer !== undefined) this.#cutIn(CUT_AFTER_MS);
  }

  /** Gives up what is not stored. */
  discard(): void {
    this.#discarded = true;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    this.#options.sink.hold(-this.#heldBytes);
    this.#heldBytes = 0;
  }

  #addFrame(time: string, partial: boolean, bytes: Buffer): void {
    const frame = encodeFrame({ time, stream: 'stdout', partial, bytes });
    if (!this.#replay.done) {
      if (this.#replay.take(time, frame)) return;
      const masked = encodeFrame({ time, stream: 'stdout', partial, bytes: Buffer.from(MASK, 'latin1') });
      if (this.#replay.take(time, masked)) {
        this.#redactor.enterKey();
        return;
      }
    }
    this.#recent.add(time, frame);
    this.#begun ??= time;
    this.#batch.add(frame, cutBytes(this.#place.rawOff));
    this.#heldBytes += frame.length;
    this.#options.sink.hold(frame.length);
    if (this.#stopTimer === undefined)
      this.#cutIn(this.#hurried ? CUT_AFTER_MS : cutAfterMs(this.#begun, time));
  }

  #cutIn(ms: number): void {
    this.#stopTimer?.();
    this.#stopTimer = this.#options.clock.after(ms, () => {
      this.#stopTimer = undefined;
      // A failure is seen by whoever waits for room or flushes; this one only starts the upload.
      this.#upload().catch(() => undefined);
    });
  }

  /** Uploads are one after the other, so that the numbers of stored chunks have no holes. */
  #upload(): Promise<void> {
    this.#uploading ??= this.#uploadNext().finally(() => {
      this.#uploading = undefined;
      // The time of what came meanwhile may be over, too: nothing else would send it before there is more.
      const due = !this.#batch.empty && this.#stopTimer === undefined;
      if (due && this.#sending === undefined && !this.#discarded) this.#upload().catch(() => undefined);
    });
    return this.#uploading;
  }

  async #uploadNext(): Promise<void> {
    const { sink, prefix, attempt, container, signal } = this.#options;
    // What could not be stored comes first again: nothing may take its place.
    const raw = this.#sending ?? this.#batch.take();
    if (this.#batch.empty) {
      this.#stopTimer?.();
      this.#stopTimer = undefined;
    }
    if (raw === undefined) return;
    const place = { container, ...this.#place };
    this.#sending = raw;
    const entry = await sink.put(prefix, attempt, place, raw, signal);
    this.#sending = undefined;
    this.#place = {
      nth: place.nth + 1,
      rawOff: place.rawOff + entry.rawLen,
      line0: place.line0 + entry.lines,
    };
    this.#heldBytes -= raw.length;
    sink.hold(-raw.length);
    this.#options.onChunk(entry);
  }
}
