/**
 * The plan of a copy stage as it lies in the results bucket: shards of rows (`plan/<shard>.zst`, one zstd frame of
 * lines) and, written last, `plan/index.json`. Shards without an index are garbage of a worker that died planning.
 */
import { z } from 'zod';

/** `Copy`: to be copied. `Skip`: the same content is already there. `Unchanged`: destination and source are one object. */
export type RowAction = 'Copy' | 'Skip' | 'Unchanged';

/** One object of the plan. Keys are whole keys. */
export interface PlanRow {
  readonly source: string;
  /** Without quotes; pins the source. */
  readonly etag: string;
  /** Bytes. */
  readonly size: number;
  readonly destination: string;
  readonly action: RowAction;
  /** Of the source, when it is not the standard one. */
  readonly storageClass?: string | undefined;
  /** Of what is there already, when the same content has another ETag there. */
  readonly destinationEtag?: string | undefined;
}

/** Bytes of a plan/index.json that are read at most: enough for ten thousand million rows. */
export const MAX_PLAN_INDEX = 16 * 1024 ** 2;

/** Rows per shard at most. */
export const SHARD_ROWS = 100_000;

/**
 * Another worker is worth its start for this much work: objects, and one more for every 64 MiB. A new node takes a minute
 * or two to come; one worker copies 4,000 small objects in seconds, but 256 GiB of large ones in about as long.
 */
export const WORKER_SHARE = 4_000;

/**
 * Which different keys a store takes for one. `Posix`: keys are paths, as on a file system. `NFC`: composed and decomposed
 * characters are one. `CaseInsensitive`: upper and lower case as well.
 */
export const keyEquivalence = z.enum([
  'Exact',
  'Posix',
  'NFC',
  'CaseInsensitive',
  'PosixNFC',
  'PosixCaseInsensitive',
]);
export type KeyEquivalence = z.infer<typeof keyEquivalence>;

const count = z.int().min(0);
const place = z.object({ store: z.string(), bucket: z.string(), prefix: z.string() });

/** What a plan says about itself, whether it was stored or only tried out. */
export const planHead = z.object({
  version: z.literal(1),
  time: z.iso.datetime(),
  source: place,
  destination: place,
  /** Of the destination, as stated or found out. */
  keyEquivalence,
  /** Listed objects, and those left out by onUnmatched: Skip. */
  listed: count,
  unmatched: count,
  /** Rows by action, and those whose key after the prefix changes. */
  rows: count,
  toCopy: count,
  skipped: count,
  unchanged: count,
  renamed: count,
  /** Bytes to copy. */
  bytes: count,
});

export const planIndex = planHead.extend({
  transfer: z.enum(['ServerSide', 'Stream']),
  /** What the endpoint was seen to honour; see workers/s3/probe.ts. */
  guards: z.object({
    sourcePinned: z.boolean(),
    createOnly: z.boolean(),
    putCreateOnly: z.boolean().default(false),
    completeCreateOnly: z.boolean().default(false),
    deleteIfMatch: z.boolean(),
  }),
  /** Workers that have shards: indexes 0 to this, without it. As many as there is work for, and as the stage may have. */
  workers: z.int().min(1),
  shards: z.array(
    z.object({
      /** Number in the shard's key. Not always 0, 1, 2: garbage of an earlier try keeps its numbers. */
      shard: count,
      /** The worker that copies it. A worker takes its shards in the order of this list: the longest first. */
      index: count,
      rows: count,
      bytes: count,
      /** Of the object, compressed. */
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ),
});

export type PlanIndex = z.infer<typeof planIndex>;

const letters: Readonly<Record<RowAction, string>> = { Copy: 'C', Skip: 'S', Unchanged: 'U' };
const actions: ReadonlyMap<unknown, RowAction> = new Map([
  ['C', 'Copy'],
  ['S', 'Skip'],
  ['U', 'Unchanged'],
]);

/** Where the letter of the action stands in a line, so that a row can be given another one. */
export const ACTION_OFFSET = 2;

/** The byte that stands for an action. */
export function actionByte(action: RowAction): number {
  return letters[action].charCodeAt(0);
}

/** One line without its end. JSON keeps every well-formed key as it is; others never get into a plan. */
export function formatPlanRow(row: Omit<PlanRow, 'action'>, action: RowAction): string {
  const { source, etag, size, destination, storageClass, destinationEtag } = row;
  const line = `["${letters[action]}",${quote(source)},${quote(etag)},${size},${quote(destination)}`;
  if (destinationEtag !== undefined) {
    const kept = storageClass === undefined ? 'null' : quote(storageClass);
    return `${line},${kept},${quote(destinationEtag)}]`;
  }
  return storageClass === undefined ? `${line}]` : `${line},${quote(storageClass)}]`;
}

/** Anything below space, quotes, backslashes and halves of surrogate pairs. */
const needsEscape = /[^ !#-[\]-\ud7ff\ue000-\uffff]/;

/** What JSON.stringify does, several times faster for the texts that need no escape. */
function quote(text: string): string {
  return needsEscape.test(text) ? JSON.stringify(text) : `"${text}"`;
}

/** @throws Error when the line is not one of ours. */
export function parsePlanRow(line: string): PlanRow {
  const fields: unknown = JSON.parse(line);
  if (!Array.isArray(fields)) throw malformed();
  const [letter, source, etag, size, destination, kept, destinationEtag]: unknown[] = fields;
  const storageClass = kept ?? undefined;
  const action = actions.get(letter);
  if (action === undefined || typeof source !== 'string' || typeof etag !== 'string') throw malformed();
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw malformed();
  if (typeof destination !== 'string') throw malformed();
  if (storageClass !== undefined && typeof storageClass !== 'string') throw malformed();
  if (destinationEtag !== undefined && typeof destinationEtag !== 'string') throw malformed();
  return { source, etag, size, destination, action, storageClass, destinationEtag };
}

function malformed(): Error {
  return new Error('a row of the plan is malformed');
}
