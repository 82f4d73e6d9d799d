/** Many ordered streams of frames as one: by time, and inside one stream always in its own order. */
import type { LogFrame } from '../../../workers/contract/logframes.ts';

export interface Tagged<S> {
  source: S;
  frame: LogFrame;
}

interface Head<S> {
  source: S;
  /** Place among the sources: equal times keep this order. */
  place: number;
  frame: LogFrame;
  /** A clock that jumps back must not let a stream overtake itself: the newest time it has shown. */
  time: string;
  frames: AsyncIterator<LogFrame>;
}

/** Streams are read one frame ahead. All of them are ended when the reader stops. */
export async function* mergeFrames<S>(
  sources: readonly { source: S; frames: AsyncIterable<LogFrame> }[],
): AsyncGenerator<Tagged<S>, void, undefined> {
  const heads: Head<S>[] = [];
  const open = sources.map(({ frames }) => frames[Symbol.asyncIterator]());
  try {
    for (const [place, { source }] of sources.entries()) {
      const frames = open[place];
      const first = await frames?.next();
      if (frames !== undefined && first !== undefined && first.done !== true)
        push(heads, { source, place, frame: first.value, time: first.value.time, frames });
    }
    for (let head = pop(heads); head !== undefined; head = pop(heads)) {
      yield { source: head.source, frame: head.frame };
      const next = await head.frames.next();
      if (next.done === true) continue;
      const time = next.value.time > head.time ? next.value.time : head.time;
      push(heads, { ...head, frame: next.value, time });
    }
  } finally {
    for (const frames of open) await frames.return?.();
  }
}

function isBefore<S>(a: Head<S>, b: Head<S>): boolean {
  return a.time < b.time || (a.time === b.time && a.place < b.place);
}

/** Heads are kept in order; a stream mostly goes back near where it was, so the search starts at the front. */
function push<S>(heads: Head<S>[], head: Head<S>): void {
  let low = 0;
  let high = heads.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = heads[middle];
    if (other !== undefined && isBefore(other, head)) low = middle + 1;
    else high = middle;
  }
  heads.splice(low, 0, head);
}

function pop<S>(heads: Head<S>[]): Head<S> | undefined {
  return heads.shift();
}
