/** The stream of a watch, line by line. */
import { KubeConnectionError } from './errors.ts';
import { statusToError } from './status-error.ts';
import type { KubeObject, WatchEvent } from './types.ts';

/** Splits a stream of bytes into lines, whatever the borders of the chunks. What follows the last line end is an error. */
export async function* splitLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let parts: string[] = [];
  for await (const chunk of chunks) {
    let rest = decoder.decode(chunk, { stream: true });
    for (let end = rest.indexOf('\n'); end !== -1; end = rest.indexOf('\n')) {
      const line = parts.join('') + rest.slice(0, end);
      parts = [];
      rest = rest.slice(end + 1);
      if (line.trim() !== '') yield line;
    }
    if (rest !== '') parts.push(rest);
  }
  if (parts.join('').trim() !== '') throw new KubeConnectionError('the watch ended inside a line');
}

/** Reads one line of a watch. An ERROR line is thrown as KubeError; what is no watch event, as KubeConnectionError. */
export function parseWatchEvent<T extends KubeObject>(line: string): WatchEvent<T> {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch (error) {
    throw new KubeConnectionError('a line of the watch is not JSON', { cause: error });
  }
  if (isWatchEvent<T>(event)) return event;
  if (typeof event === 'object' && event !== null && 'type' in event && event.type === 'ERROR') {
    const status = 'object' in event && typeof event.object === 'object' ? event.object : null;
    throw statusToError(status ?? {});
  }
  throw new KubeConnectionError('a line of the watch is no watch event');
}

const eventTypes: ReadonlySet<unknown> = new Set(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK']);

/** Looks at the envelope; what is inside is the server's word for the resource that was asked for. */
function isWatchEvent<T extends KubeObject>(event: unknown): event is WatchEvent<T> {
  if (typeof event !== 'object' || event === null) return false;
  if (!('type' in event) || !eventTypes.has(event.type)) return false;
  if (!('object' in event) || typeof event.object !== 'object' || event.object === null) return false;
  return 'metadata' in event.object && typeof event.object.metadata === 'object';
}
