/**
 * The worker API: what pods of a run say to the operator and get from it. Every call carries the pod's projected
 * token; who is calling is established from that alone.
 */
import { z } from 'zod';

export const ROUTES = {
  grants: '/v1/grants',
  planned: '/v1/planned',
  progress: '/v1/progress',
  commit: '/v1/commit',
  report: '/v1/report',
} as const;

const relativeKey = z.string().min(1).max(1024);

/** Asks for presigned URLs. Keys are relative to the run. */
export const grantRequest = z.object({
  put: z.array(relativeKey).max(1000).optional(),
  get: z.array(relativeKey).max(1000).optional(),
  /** Stages whose existing plan, ledger and admitted outputs are to be listed, each with a GET URL. */
  list: z.array(z.string().max(63)).max(17).optional(),
  /** Asks for a page of that list: what comes after this key, which the page before ended with; empty: the first. */
  after: z.string().max(1024).optional(),
});

export const putGrant = z.object({
  key: z.string(),
  url: z.string(),
  /** Headers that must be sent as they are. `if-none-match: *`: a key is written once; 412 means that it already was. */
  headers: z.record(z.string(), z.string()),
});
export const getGrant = z.object({ key: z.string(), url: z.string(), size: z.int().optional() });

export const grantReply = z.object({
  put: z.array(putGrant),
  get: z.array(getGrant),
  existing: z.array(getGrant),
  /** Where a page is not the last: what the next one comes after. */
  more: z.string().optional(),
  /** When the URLs die. */
  expiresAt: z.iso.datetime(),
});

/**
 * Worker 0 of a copy says that the plan is stored and how many workers have shards in it. Answered with how many the
 * stage's Job has by now: worker 0 must not end before the Job has grown, because a Job whose workers have all ended is
 * over for good.
 */
export const plannedRequest = z.object({ workers: z.int().min(1).max(100_000) });
export const plannedReply = z.object({ workers: z.int().min(0) });

export const progressRequest = z.object({
  /** Of this worker. */
  done: z.number().min(0),
  /** Of all workers of the stage. */
  total: z.number().min(0),
  unit: z.string().max(32),
  /** Bytes of what this worker has done, and of what all have to do. */
  bytes: z.int().min(0).optional(),
  totalBytes: z.int().min(0).optional(),
  /** Units per second of this worker, lately, and seconds that it has left if it goes on like that. */
  perSecond: z.number().min(0).optional(),
  secondsLeft: z.number().min(0).optional(),
  /** Requests to the user's stores since the last word, and those that were refused for being too many. */
  requests: z.int().min(0).optional(),
  throttled: z.int().min(0).optional(),
});

/** Asks whether the outputs of this pod may be stored. At most one pod of a (stage, index) is ever admitted. */
export const commitReply = z.object({ admitted: z.boolean(), message: z.string().optional() });

/** Says that worker.json is stored. Answered with 200 only when the operator has read it in the store itself. */
export const reportRequest = z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/) });

/** Body of every refusal: one sentence, and a stable code. */
export const refusal = z.object({ code: z.string(), message: z.string() });

/** Codes of refusals that workers tell from others. */
export const REFUSAL = {
  /** Nothing is admitted while the run is suspended; its pods are about to be ended. */
  runSuspended: 'RunSuspended',
} as const;

export type GrantRequest = z.infer<typeof grantRequest>;
export type GrantReply = z.infer<typeof grantReply>;
export type PutGrant = z.infer<typeof putGrant>;
export type GetGrant = z.infer<typeof getGrant>;
export type PlannedRequest = z.infer<typeof plannedRequest>;
export type PlannedReply = z.infer<typeof plannedReply>;
export type ProgressRequest = z.infer<typeof progressRequest>;
export type CommitReply = z.infer<typeof commitReply>;
export type ReportRequest = z.infer<typeof reportRequest>;
