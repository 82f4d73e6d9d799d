/** `plan/report.json`: what a dry run found out, in bounded size, also where the plan was refused. */
import { z } from 'zod';
import { keyEquivalence } from './copyplan.ts';

const count = z.int().min(0);
const place = z.object({ store: z.string(), bucket: z.string(), prefix: z.string() });

/** Requests that a copy would make, its own plan included. An estimate: nothing is retried or resumed in it. */
export const requestEstimate = z.object({
  list: count,
  head: count,
  get: count,
  put: count,
  copy: count,
  uploadPart: count,
  delete: count,
});

export const planReport = z.object({
  version: z.literal(1),
  time: z.iso.datetime(),
  source: place,
  destination: place,
  /** How keys were compared. A dry run tries nothing out, so `Auto` is taken for `Exact`, and `assumed` is true. */
  keyEquivalence,
  assumed: z.boolean(),
  /** Objects in the source, and those left out by onUnmatched: Skip. */
  listed: count,
  unmatched: count,
  rows: count,
  /** Rows by what would be done; all of them `toCopy` where the plan was refused before that was known. */
  toCopy: count,
  skipped: count,
  unchanged: count,
  renamed: count,
  /** Bytes of the rows to copy. */
  bytes: count,
  requests: requestEstimate,
  /** The first whose key changes. */
  renames: z.array(z.object({ source: z.string(), destination: z.string() })).max(10),
  /** What the plan would be refused for: how many problems, and the first in words. */
  problems: z.object({ total: count, first: z.array(z.string()).max(10) }),
});

export type RequestEstimate = z.infer<typeof requestEstimate>;
export type PlanReport = z.infer<typeof planReport>;
