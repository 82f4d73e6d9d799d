/** The log of one container as it is stored so far: takes lines, cuts chunks, and knows where it stands. */
import { encodeFrame, MAX_FRAME_BYTES, type LogContainer } from '../../workers/contract/logframes.ts';
import type { ChunkEntry } from '../../workers/contract/manifests.ts';
import type { AttemptKey } from '../../workers/contract/keys.ts';
import type { Clock } from '../kube/clock.ts';
import { FrameBatch } from './batch.ts';
import type { ChunkSink } from './chunksink.ts';
import type { LinePiece } from './lines.ts';
import type { RecentFrames, Replay } from './recent.ts';
import { MASK, Redactor, type SecretPattern } from './redact.ts';

/** Longest time that a byte waits before it is sent, in milliseconds. */
const CUT_AFTER_MS = 3000;

export interface ContainerLogOptions {
  container: LogContainer;
  prefix: string;
  attempt: AttemptKey;
  sink: ChunkSink;
  clock: Clock;
  patterns?: readonly SecretPattern[] | undefined;
  /** What is stored already. */
  stored: { nth: number; rawOff: number; line0: number; recent: RecentFrames };
  /** After each stored chunk. */
  onChunk(entry: ChunkEntry): void;
  signal: AbortSignal;
}

export class ContainerLog {
  readonly #options: ContainerLogOptions;
  readonly #recent: RecentFrames;
  readonly #redactor: Redactor;
  readonly #batch = new FrameBatch();
  #replay: Replay;
  #heldBytes = 0;
  #place: { nth: number; rawOff: number; line0: number };
  #uploading: Promise<void> | undefined;
  #stopTimer: (() => void) | undefined;

  constructor(options: ContainerLogOptions) {
    this.#options = options;
    this.#place = { ...options.stored };
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
    while (this.#uploading !== undefined || !this.#batch.empty) await this.#upload();
  }

  /** Gives up what is not stored. */
  discard(): void {
    this.#stopTimer?.();
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
    this.#batch.add(frame);
    this.#heldBytes += frame.length;
    this.#options.sink.hold(frame.length);
    this.#stopTimer ??= this.#options.clock.after(CUT_AFTER_MS, () => {
      this.#stopTimer = undefined;
      // A failure is seen by whoever waits for room or flushes; this one only starts the upload.
      this.#upload().catch(() => undefined);
    });
  }

  /** Uploads are one after the other, so that the numbers of stored chunks have no holes. */
  #upload(): Promise<void> {
    this.#uploading ??= this.#uploadNext().finally(() => {
      this.#uploading = undefined;
    });
    return this.#uploading;
  }

  async #uploadNext(): Promise<void> {
    const { sink, prefix, attempt, container, signal } = this.#options;
    const raw = this.#batch.take();
    if (this.#batch.empty) {
      this.#stopTimer?.();
      this.#stopTimer = undefined;
    }
    if (raw === undefined) return;
    const place = { container, ...this.#place };
    const entry = await sink.put(prefix, attempt, place, raw, signal);
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
