import type { ServerResponse } from 'node:http';
import type { WatchFault } from './faults.ts';
import { type Selector, selectChange } from './selector.ts';
import { makeStatus } from './status.ts';
import { type Change, isWithin, type World } from './world.ts';

export interface WatchRequest {
  collection: string;
  from: number;
  selects: Selector;
  timeoutMs: number;
  bookmarkMs: number;
  fault: WatchFault | undefined;
}

/** Serves one watch from the world's history, then live, until it ends, its client leaves or its fault strikes. */
export function serveWatch(response: ServerResponse, world: World, request: WatchRequest): void {
  const { fault } = request;
  let position = request.from;
  let sent = 0;
  let over = false;

  response.writeHead(200, { 'content-type': 'application/json' });
  response.flushHeaders();

  const write = (text: string): void => {
    if (fault?.kind !== 'shred') {
      response.write(text);
      return;
    }
    const bytes = Buffer.from(text);
    for (let start = 0; start < bytes.length; start += 7) response.write(bytes.subarray(start, start + 7));
  };

  const close = (end?: () => void): void => {
    if (over) return;
    over = true;
    unsubscribe();
    clearInterval(bookmarks);
    clearTimeout(timeout);
    end?.();
  };

  /** Whether the fault has struck: nothing normal follows. */
  const strike = (next: Change | undefined): boolean => {
    if (fault === undefined || fault.kind === 'duplicate' || fault.kind === 'shred' || sent < fault.after) {
      return false;
    }
    switch (fault.kind) {
      case 'halfLine': {
        const line = JSON.stringify({ type: next?.type ?? 'BOOKMARK', object: next?.object ?? {} });
        close(() => response.end(line.slice(0, Math.floor(line.length / 2))));
        break;
      }
      case 'break':
        close(() => response.destroy());
        break;
      case 'end':
        close(() => response.end());
        break;
      case 'silent':
        close();
        break;
      case 'expire': {
        const status = makeStatus(410, 'Expired', 'too old resource version');
        close(() => response.end(`${JSON.stringify({ type: 'ERROR', object: status })}\n`));
        break;
      }
      case 'errorLine': {
        const status = makeStatus(500, 'InternalError', 'etcd is having a bad day');
        close(() => response.end(`${JSON.stringify({ type: 'ERROR', object: status })}\n`));
        break;
      }
      case 'garbage':
        close(() => response.end('}{ this is no JSON\n'));
        break;
    }
    return true;
  };

  const pump = (): void => {
    if (over) return;
    for (const any of world.history) {
      if (any.version <= position || !isWithin(any.collection, request.collection)) continue;
      const change = selectChange(any, request.selects);
      if (change === undefined) continue;
      if (strike(change)) return;
      position = change.version;
      sent += 1;
      const line = `${JSON.stringify({ type: change.type, object: change.object })}\n`;
      write(line);
      if (fault?.kind === 'duplicate') write(line);
    }
    strike(undefined);
  };

  const unsubscribe = world.onChange(pump);
  const bookmarks = setInterval(() => {
    const metadata = { resourceVersion: String(world.version) };
    write(`${JSON.stringify({ type: 'BOOKMARK', object: { metadata } })}\n`);
  }, request.bookmarkMs);
  const timeout = setTimeout(() => close(() => response.end()), request.timeoutMs);
  response.on('close', () => close());
  pump();
}
