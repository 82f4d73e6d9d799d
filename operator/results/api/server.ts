/**
 * The results API. It has no authorization of its own yet: it listens on loopback in the operator's pod, so that only
 * those reach it who may forward a port into that pod.
 */
import { Readable } from 'node:stream';
import { fastify, type FastifyInstance, type RouteHandlerMethod } from 'fastify';
import { z } from 'zod';
import { RESULTS_ROUTES } from '../../../workers/contract/resultsapi.ts';
import type { Clock } from '../../kube/clock.ts';
import type { Logger } from '../../kube/logger.ts';
import { ResultsError } from '../errors.ts';
import type { ResultsService } from '../results.ts';
import { ResultsApiError } from './errors.ts';
import { listLedger, readLedgerObject } from './ledgers.ts';
import { entryOfItem, type LogItem, streamLogs } from './logs.ts';
import { findRun, listRuns, type RunSource, showRun } from './runs.ts';

export interface ResultsApiDeps {
  results: ResultsService;
  runs: RunSource;
  clock: Clock;
  logger: Logger;
}

const DEADLINE_MS = 30_000;
const label = z.string().regex(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/, 'not a name');
const flag = z.enum(['true', 'false', '']).transform((value) => value !== 'false');

const listQuery = z.object({
  namespace: label.optional(),
  pipeline: label.optional(),
  result: z.enum(['Succeeded', 'Failed', 'Canceled']).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
  after: z.string().max(512).optional(),
});
const logsQuery = z.object({
  stage: label.optional(),
  index: z.coerce.number().int().min(0).max(1_000_000).optional(),
  container: label.optional(),
  follow: flag.optional(),
  /** `ndjson` has one entry per line; `text` has the bytes of the lines alone. */
  format: z.enum(['ndjson', 'text']).default('ndjson'),
});
const params = z.object({ uid: z.uuid() });
const stageParams = z.object({ uid: z.uuid(), stage: label });
const objectQuery = z.object({ key: z.string().max(512) });

/** Log bytes are hostile: nothing may take them for anything but text. */
const SAFE_HEADERS = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; sandbox",
  'cache-control': 'no-store',
};

/** A page in a browser could reach a forwarded port under a name of its own; such requests name that host. */
const LOOPBACK = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;

export function createResultsApi(deps: ResultsApiDeps): FastifyInstance {
  const server = fastify({ logger: false, bodyLimit: 1024, forceCloseConnections: true });

  server.addHook('onRequest', (request, reply, done) => {
    reply.headers(SAFE_HEADERS);
    done(LOOPBACK.test(request.headers.host ?? '') ? undefined : new ResultsApiError('ForeignHost'));
  });

  const routes: Record<string, RouteHandlerMethod> = {
    [RESULTS_ROUTES.runs]: async (request) => {
      const { limit, after, ...filter } = read(listQuery, request.query);
      return listRuns(deps, filter, { limit, after });
    },
    [RESULTS_ROUTES.run(':uid')]: async (request) =>
      showRun(deps, read(params, request.params).uid, AbortSignal.timeout(DEADLINE_MS)),
    [RESULTS_ROUTES.logs(':uid')]: async (request, reply) => {
      const { uid } = read(params, request.params);
      const { stage, index, container, follow, format } = read(logsQuery, request.query);
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort(new Error('the reader has left')));
      const wanted = { filter: { stage, index, container }, follow: follow ?? false };
      const items = streamLogs(deps.results.library, () => findRun(deps, uid), wanted, gone.signal);
      // The first item decides whether there is an answer at all.
      const first = await items.next();
      const text = format === 'text';
      reply.type(text ? 'text/plain; charset=utf-8' : 'application/x-ndjson');
      return reply.send(
        Readable.from(text ? bytesOf(first, items) : linesOf(first, items, deps.logger, gone.signal)),
      );
    },
    [RESULTS_ROUTES.ledger(':uid', ':stage')]: async (request, reply) => {
      const { uid, stage } = read(stageParams, request.params);
      const run = findRun(deps, uid);
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort(new Error('the reader has left')));
      const lines = listLedger(deps.results.library, run, stage, gone.signal);
      // The first line decides whether there is an answer at all.
      const first = await lines.next();
      if (first.done === true) throw new ResultsApiError('NoLedger');
      return reply.type('application/x-ndjson').send(Readable.from(withFirst(first.value, lines)));
    },
    [RESULTS_ROUTES.ledgerObject(':uid', ':stage')]: async (request, reply) => {
      const { uid, stage } = read(stageParams, request.params);
      const { key } = read(objectQuery, request.query);
      const run = findRun(deps, uid);
      const signal = AbortSignal.timeout(DEADLINE_MS);
      const bytes = await readLedgerObject(deps.results.library, run, { stage, key }, signal);
      return reply.type('application/octet-stream').send(bytes);
    },
  };
  for (const [url, handler] of Object.entries(routes)) server.route({ method: 'GET', url, handler });

  server.setNotFoundHandler(() => {
    throw new ResultsApiError('NoRoute');
  });
  server.setErrorHandler(async (error, request, reply) => {
    const refusal = toRefusal(error);
    // Of somebody who has left, the store says that it was not waited for.
    if (refusal.status >= 500 && !reply.raw.destroyed)
      deps.logger.warn({ err: error, route: request.routeOptions.url }, 'a results request failed');
    await reply
      .code(refusal.status)
      .type('application/json')
      .send({ code: refusal.code, message: refusal.message });
  });
  return server;
}

async function* withFirst(
  first: string,
  rest: AsyncGenerator<string, void, undefined>,
): AsyncGenerator<string> {
  yield first;
  yield* rest;
}

async function* all(
  first: IteratorResult<LogItem, void>,
  rest: AsyncGenerator<LogItem, void>,
): AsyncGenerator<LogItem> {
  if (first.done === true) return;
  yield first.value;
  yield* rest;
}

/** An answer that breaks off is cut, so that nobody takes it for whole. */
async function* bytesOf(
  first: IteratorResult<LogItem, void>,
  rest: AsyncGenerator<LogItem, void>,
): AsyncGenerator<Buffer> {
  for await (const item of all(first, rest))
    if ('line' in item)
      yield item.line.partial ? item.line.bytes : Buffer.concat([item.line.bytes, Buffer.from('\n')]);
}

async function* linesOf(
  first: IteratorResult<LogItem, void>,
  rest: AsyncGenerator<LogItem, void>,
  logger: Logger,
  gone: AbortSignal,
): AsyncGenerator<string> {
  try {
    for await (const item of all(first, rest)) yield `${JSON.stringify(entryOfItem(item))}\n`;
  } catch (error) {
    // Followers leave as they like, and nobody is there to be told.
    if (gone.aborted) {
      logger.debug({}, 'the reader of a log has left');
      return;
    }
    logger.warn({ err: error }, 'a log could not be read to its end');
    const { code, message } = toRefusal(error);
    yield `${JSON.stringify({ error: { code, message } })}\n`;
  }
}

function read<T extends z.ZodType>(schema: T, value: unknown): z.infer<T> {
  const { data, error } = schema.safeParse(value);
  if (error === undefined) return data;
  const [issue] = error.issues;
  throw new ResultsApiError('BadRequest', {
    detail: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'malformed'}`,
  });
}

function toRefusal(error: unknown): ResultsApiError {
  if (error instanceof ResultsApiError) return error;
  if (error instanceof ResultsError)
    return new ResultsApiError('StoreUnavailable', { detail: error.message, cause: error });
  return new ResultsApiError('Internal', { cause: error });
}
