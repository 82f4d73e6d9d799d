import { z } from 'zod';
import { keyEquivalence } from '../../../workers/contract/copyplan.ts';

const count = z.int().min(0);

/** Which requests a limit or fault is about; what is left out matches all. */
const which = z.object({
  operation: z.string().optional(),
  bucket: z.string().optional(),
  /** A part of the key, as text. */
  key: z.string().optional(),
});

/** Keys `<prefix><number>` with so many digits that exist without being kept. They can be read, not changed. */
const series = z.object({
  bucket: z.string(),
  prefix: z.string(),
  count,
  digits: count.default(9),
  /** Of every object, in bytes. */
  size: count.default(4096),
});

/** One object of any size whose bytes are made when they are read. */
const generated = z.object({
  bucket: z.string(),
  key: z.string(),
  size: count,
  seed: z.int().min(1).max(0xffffffff),
  headers: z.record(z.string(), z.string()).default({}),
});

/** A token bucket in front of some requests; what finds no token is refused and takes none. */
const limit = z.object({
  bucket: z.string().optional(),
  prefix: z.string().default(''),
  requests: z.enum(['read', 'write', 'all']).default('all'),
  /** Tokens per second, and how many can be saved up. */
  rate: z.number().positive(),
  burst: z.number().positive().optional(),
  /** How a refusal looks: status and code, or 200 with the error in the body. */
  status: z.union([z.literal(503), z.literal(429), z.literal(200)]).default(503),
  code: z.string().default('SlowDown'),
  /** Seconds. */
  retryAfter: z.number().optional(),
});

/**
 * - `answer`: an error instead of the operation; `answerIn200`: the same inside a 200.
 * - `empty`: nothing done, 200 without a body. `emptyAfter`: done, 200 without a body.
 * - `reset`: nothing done, connection broken. `resetAfter`: done, connection broken without an answer.
 * - `changeSource`: the source of the copy (or the object itself) gets other content of the same size first.
 * - `intrude`: somebody else writes other content to the copy's key first, as large as its source.
 * - `truncate`: done, but only the first half of the body comes, as if it were all.
 * - `stall`: no answer ever.
 */
const faultKind = z.enum([
  'answer',
  'answerIn200',
  'empty',
  'emptyAfter',
  'reset',
  'resetAfter',
  'changeSource',
  'intrude',
  'truncate',
  'stall',
]);

const fault = which.extend({
  kind: faultKind,
  status: z.int().default(500),
  code: z.string().default('InternalError'),
  retryAfter: z.number().optional(),
  /** Matching requests that pass before the first one is hit, and how many are hit then. */
  after: count.default(0),
  times: count.optional(),
});

/** Conditions that a store may silently ignore; `listPrefix` is the prefix of a listing. */
const condition = z.enum([
  'copySourceIfMatch',
  'copyIfNoneMatch',
  'putIfNoneMatch',
  'completeIfNoneMatch',
  'deleteIfMatch',
  'getIfMatch',
  'listPrefix',
]);

/** What a double holds and how it behaves. */
export const doubleSetup = z.object({
  buckets: z.array(z.string()).default([]),
  series: z.array(series).default([]),
  generated: z.array(generated).default([]),
  limits: z.array(limit).default([]),
  faults: z.array(fault).default([]),
  ignored: z.array(condition).default([]),
  /** Conditions of which it says that it does not implement them. */
  refused: z.array(condition).default([]),
  /** Which different keys are taken for one. */
  aliases: keyEquivalence.default('Exact'),
});

export type DoubleSetup = z.input<typeof doubleSetup>;
export type ResolvedSetup = z.output<typeof doubleSetup>;
export type Series = z.output<typeof series>;
export type Limit = z.output<typeof limit>;
export type Fault = z.output<typeof fault>;
export type Condition = z.infer<typeof condition>;
