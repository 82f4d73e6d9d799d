/**
 * What is inside a log chunk: lines in the CRI log format, `<RFC 3339 time, nanoseconds, UTC> <stream> <P|F> <bytes>\n`.
 * P is a part of a line that goes on in the next frame; F ends a line. Bytes are bytes: nothing is decoded.
 */

/** Most bytes of content in one frame; longer lines become several frames of one time. */
export const MAX_FRAME_BYTES = 16 * 1024;

/** The containers whose logs are kept. The place in this list is part of the chunk numbers: only ever append. */
export const LOG_CONTAINERS = ['main', 'copy', 'fetch', 'agent', 'ship'] as const;
export type LogContainer = (typeof LOG_CONTAINERS)[number];

/** Chunk numbers of one attempt are dealt out in rows of 8, one column per container. */
const COLUMNS = 8;

export function isLogContainer(name: string): name is LogContainer {
  return LOG_CONTAINERS.some((known) => known === name);
}

/** The number of the `nth` chunk (from 0) of a container: each container counts alone, and a number tells whose it is. */
export function chunkSequence(container: LogContainer, nth: number): number {
  return nth * COLUMNS + LOG_CONTAINERS.indexOf(container);
}

/** Whose chunk a number is, and the how-manieth; undefined for a number that {@link chunkSequence} never gives. */
export function readSequence(seq: number): { container: LogContainer; nth: number } | undefined {
  const container = LOG_CONTAINERS[seq % COLUMNS];
  return container === undefined ? undefined : { container, nth: Math.floor(seq / COLUMNS) };
}

export interface LogFrame {
  /** As {@link canonicalTime} gives it: fixed width, so that text order is time order. */
  time: string;
  stream: 'stdout' | 'stderr';
  /** The line goes on in the next frame. */
  partial: boolean;
  /** Without a newline. */
  bytes: Buffer;
}

/** A chunk that is not what the format says. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
  readonly code = 'BadFrame';
}

export function encodeFrame(frame: LogFrame): Buffer {
  const head = `${frame.time} ${frame.stream} ${frame.partial ? 'P' : 'F'} `;
  const whole = Buffer.allocUnsafe(head.length + frame.bytes.length + 1);
  whole.write(head, 0, 'latin1');
  whole.set(frame.bytes, head.length);
  whole[whole.length - 1] = 0x0a;
  return whole;
}

const HEAD = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z) (stdout|stderr) ([PF]) $/;
/** `2026-01-01T00:00:00.000000000Z stdout F `: every head has this length, because both stream names have six letters. */
const HEAD_LENGTH = 40;

/** @throws FrameError for anything that {@link encodeFrame} does not write. */
export function* decodeFrames(raw: Buffer): Generator<LogFrame, void, undefined> {
  for (let at = 0; at < raw.length; ) {
    const end = raw.indexOf(0x0a, at);
    if (end < 0) throw new FrameError('the chunk ends inside a line');
    const [, time, stream, tag] = HEAD.exec(raw.toString('latin1', at, at + HEAD_LENGTH)) ?? [];
    if (time === undefined || (stream !== 'stdout' && stream !== 'stderr') || end < at + HEAD_LENGTH)
      throw new FrameError(`the line at byte ${at} of the chunk has no head`);
    yield { time, stream, partial: tag === 'P', bytes: raw.subarray(at + HEAD_LENGTH, end) };
    at = end + 1;
  }
}

const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

/** An RFC 3339 time in UTC with nine fraction digits; undefined for any other text. */
export function canonicalTime(text: string): string | undefined {
  const [, seconds, fraction = '', zone] = TIME.exec(text) ?? [];
  if (seconds === undefined || zone === undefined) return undefined;
  const at = Date.parse(`${seconds}${zone}`);
  if (Number.isNaN(at)) return undefined;
  const utc = zone === 'Z' ? seconds : new Date(at).toISOString().slice(0, 19);
  return `${utc}.${fraction.padEnd(9, '0')}Z`;
}
