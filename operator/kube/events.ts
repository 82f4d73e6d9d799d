import type { KubeClient } from './client.ts';
import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';
import type { ObjectReference } from './types.ts';

/** Something that happened to an object, for its user: a result, not an intent. */
export interface EventRecord {
  /** What it is about. Objects without namespace are written to `default`. */
  regarding: ObjectReference;
  related?: ObjectReference;
  type: 'Normal' | 'Warning';
  /** CamelCase, few different ones. */
  reason: string;
  /** What the controller did or tried, CamelCase. */
  action: string;
  /** For people; cut to 1 kB. */
  note: string;
}

export interface EventRecorderOptions {
  client: KubeClient;
  /** Domain-qualified, such as `example.dev/operator`. */
  reportingController: string;
  /** Unique per process. */
  reportingInstance: string;
  /** Equal events within so long are written once; 120,000 unless given. */
  dedupeMs?: number;
  logger?: Logger;
  clock?: Clock;
}

/** Writes events.k8s.io/v1 events, best effort: `record` never throws and never waits. */
export class EventRecorder {
  constructor(_options: EventRecorderOptions) {
    throw new Error('not written yet');
  }
  record(_event: EventRecord): void {
    throw new Error('not written yet');
  }
  /** Resolves when what was recorded so far is written or given up. */
  flush(): Promise<void> {
    throw new Error('not written yet');
  }
}
