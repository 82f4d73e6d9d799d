/** `plan/report.json`: what a dry run found out, in bounded size, also where the plan was refused. */
import { z } from 'zod';
import { planHead } from './copyplan.ts';

const count = z.int().min(0);

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

/** Where the plan was refused before it was known what would be done with its rows, all of them are `toCopy`. */
export const planReport = planHead.extend({
  /** A dry run tries nothing out: `Auto` is taken for `Exact`, and this is true. */
  assumed: z.boolean(),
  requests: requestEstimate,
  /** The first whose key changes. */
  renames: z.array(z.object({ source: z.string(), destination: z.string() })).max(10),
  /** What the plan would be refused for: how many problems, and the first in words. */
  problems: z.object({ total: count, first: z.array(z.string()).max(10) }),
});

export type RequestEstimate = z.infer<typeof requestEstimate>;
export type PlanReport = z.infer<typeof planReport>;
