/**
 * The ledger of a copy stage: what became of every row of a plan, in segments that are written once
 * (`ledger/<shard>/<podUID>-<seq>.zst`, one zstd frame of lines), and `done.json`, which closes a shard
 * and names the object with what failed.
 */
import { z } from 'zod';

/** `Copied`, `Skipped` and `Unchanged` are done; `Failed` is done as well, with the reason. */
export type RowOutcome = 'Copied' | 'Skipped' | 'Unchanged' | 'Failed';

/** What became of one row. Keys are whole keys, ETags without quotes. */
export interface LedgerRow {
  /** Number of the row in its shard, from 0. */
  readonly row: number;
  readonly outcome: RowOutcome;
  readonly source: string;
  readonly sourceEtag: string;
  readonly size: number;
  readonly destination: string;
  /** Of the copy; empty where there is none. */
  readonly destinationEtag: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Why a row failed: a code and a sentence. */
  readonly error?: string | undefined;
  /** `algorithm:value` of all bytes, where source and copy were seen to have it in common. */
  readonly checksum?: string | undefined;
}

/** A segment is closed after this many rows … */
export const SEGMENT_ROWS = 10_000;
/** … or this many milliseconds, or a hundredth of the time since the shard was begun, if that is more. */
export const SEGMENT_MILLISECONDS = 5_000;

const count = z.int().min(0);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

export const shardDone = z.object({
  version: z.literal(1),
  shard: count,
  rows: count,
  copied: count,
  skipped: count,
  unchanged: count,
  failed: count,
  /** Of the copied. */
  bytes: count,
  segments: z.array(z.object({ key: z.string(), rows: count, sha256 })),
  /** The object with what failed, one {@link deadLetter} per line; absent when nothing did. */
  deadLetters: z.object({ key: z.string(), rows: count, sha256 }).optional(),
});

/** One line of the object with what failed: for people, so it says what each field is. */
export const deadLetter = z.object({
  source: z.string(),
  sourceEtag: z.string(),
  size: count,
  destination: z.string(),
  /** A code and a sentence. */
  error: z.string(),
  time: z.iso.datetime(),
});

/** One line without its end. */
export function formatDeadLetter({ source, sourceEtag, size, destination, error, time }: LedgerRow): string {
  return JSON.stringify({
    source,
    sourceEtag,
    size,
    destination,
    error: error ?? 'failed',
    time: new Date(time).toISOString(),
  });
}

export type ShardDone = z.infer<typeof shardDone>;

const letters: Readonly<Record<RowOutcome, string>> = {
  Copied: 'C',
  Skipped: 'S',
  Unchanged: 'U',
  Failed: 'F',
};
const outcomes: Readonly<Record<'C' | 'S' | 'U' | 'F', RowOutcome>> = {
  C: 'Copied',
  S: 'Skipped',
  U: 'Unchanged',
  F: 'Failed',
};
const letter = z.enum(['C', 'S', 'U', 'F']);
const rowLine = z.union([
  z.tuple([count, letter, z.string(), z.string(), count, z.string(), z.string(), count]),
  z.tuple([count, letter, z.string(), z.string(), count, z.string(), z.string(), count, z.string()]),
  z.tuple([
    count,
    letter,
    z.string(),
    z.string(),
    count,
    z.string(),
    z.string(),
    count,
    z.null(),
    z.string(),
  ]),
]);

/** One line without its end. */
export function formatLedgerRow(row: LedgerRow): string {
  const { source, sourceEtag, size, destination, destinationEtag, time, error, checksum } = row;
  const fields: (string | number | null)[] = [
    row.row,
    letters[row.outcome],
    source,
    sourceEtag,
    size,
    destination,
    destinationEtag,
    time,
  ];
  if (checksum !== undefined) fields.push(error ?? null, checksum);
  else if (error !== undefined) fields.push(error);
  return JSON.stringify(fields);
}

/** @throws Error when the line is not one of ours. */
export function parseLedgerRow(line: string): LedgerRow {
  const [row, outcome, source, sourceEtag, size, destination, destinationEtag, time, error, checksum] =
    rowLine.parse(JSON.parse(line));
  return {
    row,
    outcome: outcomes[outcome],
    source,
    sourceEtag,
    size,
    destination,
    destinationEtag,
    time,
    error: error ?? undefined,
    checksum,
  };
}
