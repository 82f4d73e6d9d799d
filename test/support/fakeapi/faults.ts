/** What a request is asked to suffer. Names are of the wire, not of the client. */
export type Fault =
  /** Answers with a code, as a Status or as plain text. */
  | {
      kind: 'status';
      code: number;
      reason?: string;
      retryAfterSeconds?: number;
      plain?: boolean;
      causes?: { reason: string; message?: string }[];
    }
  /** Closes the connection without an answer. */
  | { kind: 'reset' }
  /** Takes the request, changes the world, and closes without an answer. */
  | { kind: 'lostAnswer' }
  /** Never answers. */
  | { kind: 'hang' }
  /** Says the length of the answer and sends half of it. */
  | { kind: 'halfBody' }
  /** Watch: after `after` events, half a line, then the end. */
  | { kind: 'halfLine'; after: number }
  /** Watch: after `after` events, the connection breaks. */
  | { kind: 'break'; after: number }
  /** Watch: after `after` events, a clean end. */
  | { kind: 'end'; after: number }
  /** Watch: after `after` events, nothing more is said, and the connection stays. */
  | { kind: 'silent'; after: number }
  /** Watch: after `after` events, an ERROR line with 410. */
  | { kind: 'expire'; after: number }
  /** Watch: after `after` events, an ERROR line with 500. */
  | { kind: 'errorLine'; after: number }
  /** Watch: after `after` events, a line that is no JSON. */
  | { kind: 'garbage'; after: number }
  /** Watch: every event is sent twice. */
  | { kind: 'duplicate' }
  /** Watch: events come in chunks that end anywhere. */
  | { kind: 'shred' };

export type WatchFault = Extract<
  Fault,
  {
    kind:
      | 'halfLine'
      | 'break'
      | 'end'
      | 'silent'
      | 'expire'
      | 'errorLine'
      | 'garbage'
      | 'duplicate'
      | 'shred';
  }
>;

/** A fault and the requests it is for: the first that fits takes it. */
export interface PlannedFault {
  on: 'list' | 'watch' | 'get' | 'write' | 'any';
  /** How the path of the request ends; any path unless given. */
  of?: string;
  fault: Fault;
}

const watchFaults: ReadonlySet<string | undefined> = new Set([
  'halfLine',
  'break',
  'end',
  'silent',
  'expire',
  'errorLine',
  'garbage',
  'duplicate',
  'shred',
] satisfies WatchFault['kind'][]);

export function isWatchFault(fault: Fault | undefined): fault is WatchFault {
  return watchFaults.has(fault?.kind);
}
