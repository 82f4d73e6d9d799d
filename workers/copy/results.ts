import { createHash } from 'node:crypto';

/** Whether an object is now there by our hand, or was there before. */
export type PutOutcome = 'Stored' | 'Exists';

/** What is needed to look at a plan and a ledger. */
export interface ReadableResults {
  /** The keys of a stage's plan and ledger that exist. */
  list(stage: string, signal: AbortSignal): Promise<ReadonlySet<string>>;
  /** Reads an object that exists, whole. */
  get(key: string, signal: AbortSignal): Promise<Buffer>;
}

/**
 * Where a copy keeps its plan and its ledger: objects that are written once and never change. Keys are relative to
 * the run (workers/contract/keys.ts). All methods throw what the store's own failure is, or the signal's reason.
 */
export interface ResultsStore extends ReadableResults {
  /** Those of them that begin so. The prefix is that of the plan, or of one shard's ledger. */
  listBelow(stage: string, prefix: string, signal: AbortSignal): Promise<ReadonlySet<string>>;
  /** Says which keys will be written soon, so that this can go on while whoever allows it is away for a moment. */
  prepare(keys: readonly string[], signal: AbortSignal): Promise<void>;
  /**
   * Writes an object that must not exist yet; what is acknowledged survives a crash. `Exists` may be our own write
   * whose acknowledgement was lost.
   */
  put(key: string, body: Uint8Array, signal: AbortSignal): Promise<PutOutcome>;
}

/** Lower-case hex SHA-256. */
export function sha256(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex');
}
