/**
 * Reads the log of one container to its end: follows while it runs, starts again where a stream broke, and reads once
 * more after the end, because a stream that was followed may stop early without saying so.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PodLogOptions } from '../../kube/client.ts';
import { isNotFound } from '../../kube/errors.ts';
import type { Logger } from '../../kube/logger.ts';
import type { ContainerLog } from './containerlog.ts';
import type { Limiter } from '../../kube/limiter.ts';
import { type LinePiece, LineSplitter } from './lines.ts';
import { Strays } from './strays.ts';

/** `terminated`: the container ended and the pod is there; `gone`: the pod is not. */
export type ContainerState = 'running' | 'terminated' | 'gone';

export interface LogReaderOptions {
  target: Pick<PodLogOptions, 'namespace' | 'pod' | 'container'>;
  readLog: (options: PodLogOptions) => AsyncIterable<Uint8Array>;
  log: ContainerLog;
  /** Bounds the streams that are followed, the reads after the end, and among these the ones that were silent before. */
  following: Limiter;
  finishing: Limiter;
  lingering: Limiter;
  logger: Logger;
  /** Times in milliseconds; tests shorten them. */
  timing: ReaderTiming;
  signal: AbortSignal;
  /** A stream has ended by itself: whether the log has ended, too, only the state of the container says. */
  onEndOfStream: () => void;
}

export interface ReaderTiming {
  /** A silent stream of a running container is opened again after this. */
  idleMs: number;
  /** How long a stream may stay silent once its container has ended; twice as long after each that was. */
  lingerMs: number;
  /** First and longest wait after a failure. */
  minDelayMs: number;
  maxDelayMs: number;
  /** Longest wait of the log of an ended container, while the run goes on and nobody waits for it. */
  patientDelayMs: number;
}

export const READER_TIMING: ReaderTiming = {
  idleMs: 60_000,
  lingerMs: 2000,
  minDelayMs: 100,
  maxDelayMs: 5000,
  patientDelayMs: 120_000,
};

/** Failed reads in a row, of a run that has ended, after which the log of an ended container is given up. */
const MAX_FAILURES = 12;

/** How the reading ended: whole, or with a part missing and the reason. */
export type ReadResult = { complete: true } | { complete: false; reason: string };

class NotALogError extends Error {
  readonly code = 'NotALog';
}

/** The kubelet has removed the container, and its log with it. */
class LogRemoved extends NotALogError {}

class StreamCut extends Error {
  readonly code = 'StreamCut';
}

export class LogReader {
  readonly #options: LogReaderOptions;
  #state: ContainerState = 'running';
  /** A container that was seen to end before its pod went. */
  #ended = false;
  /** The run has ended, and its end waits for this log. */
  #concluding = false;
  /** Failed reads in a row. */
  #failures = 0;
  #lastError: string | undefined;
  /** Reads that were given up because they were silent after the end of the container. */
  #silences = 0;
  /** Ends the wait or the stream that the new state makes pointless. */
  #changed = new AbortController();
  #lastByte = performance.now();
  /** Whether the last read has brought anything. */
  #heard = false;
  /** The store is slow, not the stream. */
  #blocked = false;

  constructor(options: LogReaderOptions) {
    this.#options = options;
  }

  note(state: ContainerState): void {
    if (state === this.#state || this.#state === 'gone' || state === 'running') return;
    if (state === 'terminated') this.#ended = true;
    this.#state = state;
    this.#failures = 0;
    this.#wake();
  }

  /** The run has ended: a log that still cannot be read, although its container has ended, is given up after some tries. */
  conclude(): void {
    this.#concluding = true;
    this.#failures = 0;
    this.#wake();
  }

  /** What was waited for may be there now. */
  #wake(): void {
    this.#lastByte = performance.now();
    this.#changed.abort();
    this.#changed = new AbortController();
  }

  /** How the last read that has ended failed, in a word and a sentence; undefined where it did not. */
  get lastError(): string | undefined {
    return this.#lastError;
  }

  /** @throws ForeignChunkError, or the signal's reason. */
  async run(): Promise<ReadResult> {
    const { signal } = this.#options;
    /** Streams in a row that ended without a fault while the container was said to run. */
    let early = 0;
    /** The last stream that said anything of the log ended without a fault, and everything that came was taken. */
    let wholeStream = false;
    for (;;) {
      signal.throwIfAborted();
      const state = this.#state;
      const changed = this.#changed;
      try {
        wholeStream = await this.#read(state);
        this.#failures = 0;
        this.#lastError = undefined;
        early += 1;
        this.#options.onEndOfStream();
        if (state === 'terminated') return { complete: true };
      } catch (error) {
        if (signal.aborted || isForeign(error)) throw error;
        const reason = `${codeOf(error)}: ${sentence(error)}`;
        if (error instanceof StreamCut) wholeStream &&= !this.#heard;
        else {
          this.#failures += 1;
          this.#lastError = reason;
          // A pod that was asked to end takes its logs with it: that there is none any more is nothing against what was read.
          wholeStream &&= isNoMore(error);
          this.#options.logger.debug(
            { ...this.#options.target, failures: this.#failures, reason: sentence(error) },
            'reading a log failed',
          );
        }
        if (state === 'terminated' && this.#concluding && this.#failures >= MAX_FAILURES) {
          await this.#options.log.flush();
          return wholeStream ? { complete: true } : { complete: false, reason };
        }
      }
      if (this.#state === 'gone') {
        await this.#options.log.flush();
        if (wholeStream && this.#ended) return { complete: true };
        return { complete: false, reason: 'PodGone: the pod was removed before its log was read to the end' };
      }
      if (this.#changed === changed) await this.#wait(this.#delay(early));
    }
  }

  #delay(early: number): number {
    const { minDelayMs, maxDelayMs, patientDelayMs } = this.#options.timing;
    const ended = this.#state === 'terminated';
    const tries = Math.max(this.#failures, ended ? this.#silences : early - 1);
    const longest = ended && !this.#concluding ? patientDelayMs : maxDelayMs;
    return Math.min(longest, minDelayMs * 2 ** Math.min(tries, 12));
  }

  async #wait(ms: number): Promise<void> {
    const { signal } = this.#options;
    await sleep(ms * (0.5 + Math.random() / 2), undefined, {
      signal: AbortSignal.any([signal, this.#changed.signal]),
    }).catch(() => signal.throwIfAborted());
  }

  /** @returns whether everything that came was taken. */
  async #read(state: ContainerState): Promise<boolean> {
    this.#heard = false;
    if (state === 'gone') throw new StreamCut('the pod is gone');
    const { signal, following, finishing, lingering } = this.#options;
    const follow = state === 'running';
    // A stream that hangs holds its place for long: those that may do so share places of their own.
    const places = follow ? following : this.#silences === 0 ? finishing : lingering;
    let release: () => void;
    try {
      release = await places.acquire(AbortSignal.any([signal, this.#changed.signal]));
    } catch (error) {
      throw signal.aborted ? error : new StreamCut('something has changed', { cause: error });
    }
    const stream = new AbortController();
    const watchdog = setInterval(() => this.#watch(stream), 100);
    try {
      return await this.#consume(follow, AbortSignal.any([signal, stream.signal]));
    } catch (error) {
      throw stream.signal.aborted && !signal.aborted ? stream.signal.reason : error;
    } finally {
      clearInterval(watchdog);
      release();
    }
  }

  #watch(stream: AbortController): void {
    if (this.#blocked || stream.signal.aborted) return;
    const { idleMs, lingerMs } = this.#options.timing;
    // Nothing tells a stream that hangs from a kubelet that is slow to answer: it is given longer each time.
    const linger = Math.min(idleMs, lingerMs * 2 ** Math.min(this.#silences, 8));
    const limit = this.#state === 'running' ? idleMs : linger;
    if (performance.now() - this.#lastByte <= limit) return;
    const silence = new StreamCut('the stream is silent');
    if (this.#state === 'terminated') {
      this.#silences += 1;
      this.#lastError = `${silence.code}: ${silence.message}`;
    }
    stream.abort(silence);
  }

  async #consume(follow: boolean, signal: AbortSignal): Promise<boolean> {
    const { readLog, target, log } = this.#options;
    const sinceTime = log.restart();
    const splitter = new LineSplitter();
    const strays = new Strays(sinceTime !== undefined);
    this.#lastByte = performance.now();
    const options = {
      ...target,
      follow,
      timestamps: true,
      ...(sinceTime === undefined ? {} : { sinceTime }),
    };
    for await (const bytes of readLog({ ...options, signal })) {
      this.#heard = true;
      for (const piece of splitter.push(bytes)) {
        if (isTimed(piece)) {
          strays.passed();
          log.add(piece);
        } else strays.note(piece.text);
      }
      this.#blocked = true;
      await log.makeRoom().finally(() => {
        this.#blocked = false;
      });
      this.#lastByte = performance.now();
    }
    // Only the end of the log has an unfinished line; the end of a stream that was followed may be any place.
    const rest = splitter.end();
    if (rest !== undefined && !isTimed(rest)) strays.note(rest.text);
    if (strays.removed) throw new LogRemoved(strays.meaning);
    if (strays.meaning !== undefined) throw new NotALogError(strays.meaning);
    if (follow) return rest === undefined;
    if (rest !== undefined && isTimed(rest)) log.addUnfinished(rest);
    this.#blocked = true;
    await log.flush().finally(() => {
      this.#blocked = false;
    });
    return true;
  }
}

function isTimed(piece: LinePiece): piece is LinePiece & { time: string } {
  return piece.time !== undefined;
}

function isNoMore(error: unknown): boolean {
  return isNotFound(error) || error instanceof LogRemoved;
}

function isForeign(error: unknown): boolean {
  return codeOf(error) === 'ForeignChunk';
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'Failed';
}

function sentence(error: unknown): string {
  return error instanceof Error ? error.message.slice(0, 200) : 'unknown';
}
