/** The results API: what the operator answers on loopback, and the command line reads through a port-forward. */
import { z } from 'zod';
import { runRecord } from './manifests.ts';

export const RESULTS_ROUTES = {
  runs: '/v1/runs',
  run: (uid: string): string => `/v1/runs/${uid}`,
  logs: (uid: string): string => `/v1/runs/${uid}/logs`,
  /** Keys of the plan and ledger of a copy stage, one {@link ledgerObject} per line. */
  ledger: (uid: string, stage: string): string => `/v1/runs/${uid}/copies/${stage}`,
  /** One of those objects, its bytes as they are stored; `key` is in the query. */
  ledgerObject: (uid: string, stage: string): string => `/v1/runs/${uid}/copies/${stage}/object`,
} as const;

/** One finished run in a listing. */
export const runSummary = z.object({
  uid: z.string(),
  namespace: z.string(),
  name: z.string(),
  pipeline: z.string(),
  result: z.string(),
  reason: z.string(),
  startedAt: z.string(),
  finishedAt: z.string(),
  logsComplete: z.boolean(),
  stages: z.int(),
  nodes: z.int(),
  nodeSeconds: z.number(),
});

/** A run that has no record yet. */
export const liveRun = z.object({
  uid: z.string(),
  namespace: z.string(),
  name: z.string(),
  pipeline: z.string(),
  startedAt: z.string(),
  reason: z.string(),
  message: z.string(),
  stages: z.array(
    z.object({
      name: z.string(),
      state: z.string(),
      reason: z.string().optional(),
      message: z.string().optional(),
      attempt: z.int().optional(),
      progress: z.object({ done: z.number(), total: z.number(), unit: z.string() }).optional(),
      startTime: z.string().optional(),
      completionTime: z.string().optional(),
    }),
  ),
});

export const runsReply = z.object({
  /** Runs without a record, on the first page only. */
  live: z.array(liveRun),
  /** Newest first. */
  runs: z.array(runSummary),
  /** Pass it as `after` for the next page; null on the last. */
  next: z.string().nullable(),
  /** False while the index is still being made from the bucket: older runs may be missing. */
  indexComplete: z.boolean(),
});

/** One run: its record, or what is known while it has none. */
export const runReply = z.union([
  z.object({ record: runRecord, location: z.string() }),
  z.object({ live: liveRun }),
]);

/** One object of a copy stage's plan or ledger; keys are relative to the run (workers/contract/keys.ts). */
export const ledgerObject = z.object({ key: z.string(), size: z.int() });

/** One line of `application/x-ndjson`: a line of a log, a gap in one, or an error that ends the answer. */
export const logLine = z.object({
  time: z.string(),
  stage: z.string(),
  index: z.int(),
  attempt: z.int(),
  container: z.string(),
  /** The line when it is UTF-8, else its bytes. */
  text: z.string().optional(),
  base64: z.string().optional(),
  /** The line has no newline, or goes on in the next entry of the same container. */
  partial: z.boolean().optional(),
});
export const logGapLine = z.object({
  gap: z.object({
    stage: z.string(),
    index: z.int(),
    attempt: z.int(),
    container: z.string(),
    reason: z.string(),
    from: z.string().optional(),
  }),
});
export const logErrorLine = z.object({ error: z.object({ code: z.string(), message: z.string() }) });
export const logEntry = z.union([logLine, logGapLine, logErrorLine]);

export type RunSummary = z.infer<typeof runSummary>;
export type LiveRun = z.infer<typeof liveRun>;
export type RunsReply = z.infer<typeof runsReply>;
export type RunReply = z.infer<typeof runReply>;
export type LogLine = z.infer<typeof logLine>;
export type LogEntry = z.infer<typeof logEntry>;
