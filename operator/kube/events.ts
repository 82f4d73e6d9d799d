/** Events for users, recorded in the background: bounded, each once in a while, and never in the way of a reconcile. */
import { randomUUID } from 'node:crypto';
import type { KubeClient } from './client.ts';
import { type Clock, systemClock } from './clock.ts';
import { formatMicroTime } from './conditions.ts';
import { isAlreadyExists } from './errors.ts';
import { type Logger, silentLogger } from './logger.ts';
import { eventsV1 } from './resource.ts';
import { cutToBytes } from './text.ts';
import type { EventV1, ObjectReference } from './types.ts';

/** Something that happened to an object, for its user: a result, not an intent. */
export interface EventRecord {
  /** What it is about. Objects without namespace are written to `default`. */
  regarding: ObjectReference;
  type: 'Normal' | 'Warning';
  /** CamelCase, few different ones. */
  reason: string;
  /** What the controller did or tried, CamelCase. */
  action: string;
  /** For people; cut to 1 kB. */
  note: string;
}

export interface EventRecorderOptions {
  client: Pick<KubeClient, 'create'>;
  /** Domain-qualified, such as `example.dev/operator`. */
  reportingController: string;
  /** Unique per process. */
  reportingInstance: string;
  /** Equal events within so long are written once; 120,000 unless given. */
  dedupeMs?: number;
  logger?: Logger;
  clock?: Clock;
}

/** What the server takes in a note, in bytes. */
const maximumNoteBytes = 1024;
/** Events waiting to be written; more are dropped, with a warning. */
const maximumWaiting = 1_000;
/** Events written at once. */
const writers = 4;

/** Writes events.k8s.io/v1 events, best effort: `record` never throws and never waits. */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #dedupeMs: number;
  /** When each kind of event was last recorded; oldest first. */
  readonly #recent = new Map<string, number>();
  readonly #waiting: EventV1[] = [];
  readonly #writing = new Set<Promise<void>>();

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#logger = options.logger ?? silentLogger;
    this.#clock = options.clock ?? systemClock;
    this.#dedupeMs = options.dedupeMs ?? 120_000;
  }

  record(event: EventRecord): void {
    if (this.#isRepeated(event)) return;
    if (this.#waiting.length >= maximumWaiting) {
      this.#logger.warn({ reason: event.reason }, 'event dropped, too many are waiting');
      return;
    }
    this.#waiting.push(this.#compose(event));
    if (this.#writing.size >= writers) return;
    const writer = this.#write().finally(() => void this.#writing.delete(writer));
    this.#writing.add(writer);
  }

  /** Resolves when what was recorded so far is written or given up. */
  async flush(): Promise<void> {
    await Promise.all(this.#writing);
  }

  async #write(): Promise<void> {
    for (let event = this.#waiting.shift(); event !== undefined; event = this.#waiting.shift()) {
      try {
        await this.#options.client.create(eventsV1, event.metadata.namespace, event);
      } catch (error) {
        if (isAlreadyExists(error)) continue;
        this.#logger.warn({ err: error, reason: event.reason }, 'event not written');
      }
    }
  }

  #compose(event: EventRecord): EventV1 {
    const { regarding } = event;
    return {
      metadata: {
        name: `${(regarding.name ?? 'unknown').slice(0, 200)}.${randomUUID().replaceAll('-', '').slice(0, 16)}`,
        namespace: regarding.namespace ?? 'default',
      },
      eventTime: formatMicroTime(this.#clock.now()),
      reportingController: this.#options.reportingController,
      reportingInstance: this.#options.reportingInstance.slice(0, 128),
      action: event.action,
      reason: event.reason,
      regarding,
      note: cutToBytes(event.note, maximumNoteBytes),
      type: event.type,
    };
  }

  #isRepeated(event: EventRecord): boolean {
    const now = this.#clock.monotonicMs();
    for (const [kind, atMs] of this.#recent) {
      if (now - atMs < this.#dedupeMs) break;
      this.#recent.delete(kind);
    }
    const { regarding, type, reason, action, note } = event;
    const kind = JSON.stringify([regarding.uid, regarding.name, type, reason, action, note]);
    if (this.#recent.has(kind)) return true;
    this.#recent.set(kind, now);
    return false;
  }
}
