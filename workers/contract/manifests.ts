/**
 * What lands in the results bucket beside chunks, plans and ledgers. These documents are the truth of a run; every
 * database is an index over them.
 */
import { z } from 'zod';

const time = z.iso.datetime();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.int().min(0);

/** One stored log chunk: one zstd frame of at most 16 MiB of raw bytes, lines in the CRI log format. */
export const chunkEntry = z.object({
  seq: count,
  container: z.string(),
  /** Offset of the first raw byte in the stream of this container, and number of raw bytes. */
  rawOff: count,
  rawLen: count,
  /** Bytes of the object. */
  zLen: count,
  /** Of the object, compressed. */
  sha256,
  lines: count,
  /** Number of the first line in the stream of this container. */
  line0: count,
  /** Times of the first and last line. */
  t0: time,
  t1: time,
});

/** A part of a log that is known to be missing. */
export const logGap = z.object({
  container: z.string(),
  afterSeq: z.int().min(-1),
  from: time.optional(),
  to: time.optional(),
  reason: z.string(),
});

const attemptHead = {
  version: z.literal(1),
  run: z.object({ uid: z.string(), name: z.string(), namespace: z.string() }),
  stage: z.string(),
  index: count,
  attempt: count,
  podUID: z.string(),
  podName: z.string(),
  nodeName: z.string().optional(),
};

/** `logs.json`: index of the chunks of one worker attempt. */
export const logIndex = z.object({
  ...attemptHead,
  capture: z.enum(['PodsLog', 'Sidecar']),
  /** False while the worker runs, and for ever when a part was lost; then `gaps` says what. */
  complete: z.boolean(),
  chunks: z.array(chunkEntry),
  gaps: z.array(logGap),
});

/**
 * Bytes of the largest logs.json that is read, of half a million chunks; what is cut off there is made anew from the
 * chunks themselves. An operator writes a few hundred chunks for a log of a day.
 */
export const MAX_LOG_INDEX = 128 * 1024 * 1024;

const exit = z.object({
  /** Exit code of the command; null when it was killed, or never started. */
  code: z.int().nullable(),
  signal: z.string().optional(),
  started: z.boolean(),
  /** Processes of the command that the kernel killed for lack of memory; left out where nobody could tell. */
  oomKills: count.optional(),
});

/** Objects with what failed that a manifest or a record names at most. Each shard's done.json names its own. */
export const MOST_DEAD_LETTERS = 10;

/** Figures of a copy worker, or of all workers of a stage. */
export const copyResult = z.object({
  /** Objects in the plan, without those left out by onUnmatched: Skip. */
  planned: count,
  copied: count,
  /** Of the copied, those whose key after the prefix changed. */
  renamed: count,
  /** Already there with the same content. */
  skipped: count,
  /** Destination and source are one object. */
  unchanged: count,
  /** Sources deleted by mode Move. */
  moved: count,
  failed: count,
  /** Bytes of the copied objects. */
  bytes: count,
  /** Of the copied and skipped, those whose content was seen to be that of their source, where the stage asks for that. */
  verified: count.optional(),
  /** Of the verified, those that had to be read again on both sides. */
  reread: count.optional(),
  /** Requests to the stores of the data, and those of them that were refused for being too many; of each worker's last pod. */
  requests: count.optional(),
  throttled: count.optional(),
  /** Keys of objects, relative to the run, that have what failed, a shard each; the first of them. */
  deadLetters: z.array(z.string()).max(MOST_DEAD_LETTERS).optional(),
});

export const outputsResult = z.object({ files: count, bytes: count, key: z.string(), sha256 });

/**
 * Bytes of the largest worker.json. The pod of a user writes it, so whoever reads it reads no more than this: what is
 * cut off there is no manifest.
 */
export const MAX_WORKER_MANIFEST = 65_536;

/** `worker.json`: the last word of a worker that ended in order. */
export const workerManifest = z.object({
  kind: z.literal('worker'),
  ...attemptHead,
  startTime: time,
  endTime: time,
  exit,
  /** A StageReason of the API when the worker knows why it failed. */
  reason: z.string().optional(),
  message: z.string().max(1024).optional(),
  copy: copyResult.optional(),
  outputs: outputsResult.optional(),
});

/** `sealed.json`: what the operator writes for a worker that could not. */
export const sealedManifest = z.object({
  kind: z.literal('sealed'),
  ...attemptHead,
  complete: z.literal(false),
  /** Why the worker left no manifest of its own, in a word and in a sentence. */
  reason: z.string(),
  message: z.string().max(1024),
  /** Raw bytes of log that were stored, and the time of the last line. */
  lastByte: count,
  lastTime: time.optional(),
});

/** `outputs.json`: written last, after every file is stored; what later stages read. */
export const outputsManifest = z.object({
  version: z.literal(1),
  stage: z.string(),
  index: count,
  podUID: z.string(),
  files: z.array(
    z.object({
      /** Path below the output's directory, with slashes. */
      path: z.string(),
      store: z.string(),
      bucket: z.string(),
      key: z.string(),
      size: count,
      etag: z.string(),
    }),
  ),
});

const documentRef = z.object({ key: z.string(), sha256 });

export const attemptRecord = z.object({
  index: count,
  attempt: count,
  podUID: z.string(),
  podName: z.string(),
  nodeName: z.string().optional(),
  /** The one authoritative manifest. */
  manifest: documentRef.extend({ kind: z.enum(['worker', 'sealed']) }),
  logs: documentRef
    .extend({ complete: z.boolean(), rawBytes: count, storedBytes: count, lines: count })
    .optional(),
});

/** `run.json`: the record of a run. A pure function of the decided outcome and the manifests. */
export const runRecord = z.object({
  version: z.literal(1),
  cluster: z.string(),
  run: z.object({
    uid: z.string(),
    name: z.string(),
    namespace: z.string(),
    namespaceUID: z.string().optional(),
    pipeline: z.string(),
  }),
  spec: z.unknown(),
  startTime: time,
  outcome: z.object({
    result: z.enum(['Succeeded', 'Failed', 'Canceled']),
    reason: z.string(),
    message: z.string().optional(),
    time,
  }),
  stages: z.array(
    z.object({
      name: z.string(),
      kind: z.enum(['copy', 'train', 'container']),
      state: z.string(),
      reason: z.string().optional(),
      message: z.string().optional(),
      startTime: time.optional(),
      completionTime: time.optional(),
      admitted: z.string().optional(),
      copy: copyResult.optional(),
      outputs: outputsResult.optional(),
      attempts: z.array(attemptRecord),
    }),
  ),
  nodes: z.object({ launched: count, nodeSeconds: z.number() }),
  discrepancies: z.array(z.string()),
});

export type ChunkEntry = z.infer<typeof chunkEntry>;
export type LogGap = z.infer<typeof logGap>;
export type LogIndex = z.infer<typeof logIndex>;
export type CopyResult = z.infer<typeof copyResult>;
export type WorkerManifest = z.infer<typeof workerManifest>;
export type SealedManifest = z.infer<typeof sealedManifest>;
export type OutputsManifest = z.infer<typeof outputsManifest>;
export type AttemptRecord = z.infer<typeof attemptRecord>;
export type RunRecord = z.infer<typeof runRecord>;
