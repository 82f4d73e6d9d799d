/** The HTTPS server that workers speak to. */
import { fastify, type FastifyInstance, type FastifyRequest, type RouteHandlerMethod } from 'fastify';
import type { z } from 'zod';
import {
  type CommitReply,
  grantRequest,
  type GrantReply,
  plannedRequest,
  type PlannedReply,
  progressRequest,
  reportRequest,
  ROUTES,
} from '../../workers/contract/workerapi.ts';
import { type RefusalCode, CallRefused } from './errors.ts';
import { makeGrants } from './grants.ts';
import { RateBounds } from './rates.ts';
import { readReported } from './report.ts';
import { TokenReviewer } from './tokens.ts';
import type { WorkerApiDeps, WorkerCaller } from './types.ts';
import { identifyWorker } from './who.ts';

/** PEM of the certificate and its key. */
export interface WorkerApiTls {
  cert: string | Buffer;
  key: string | Buffer;
}

/** 1,000 keys to write and 1,000 to read, each of the longest kind. */
const GRANT_BODY = 4 * 1024 * 1024;
const SMALL_BODY = 4096;
/** Longest time for one request, in milliseconds. */
const DEADLINE_MS = 30_000;

/** Routes, limits and refusals. The caller listens and closes. */
export function createWorkerApi(deps: WorkerApiDeps, tls: WorkerApiTls): FastifyInstance {
  const reviewer = new TokenReviewer({
    tokenReview: (token, audiences, signal) => deps.tokenReview(token, audiences, signal),
    clock: deps.clock,
  });
  const rates = new RateBounds(deps.clock, { perSecond: 20, burst: 100 });
  const server: FastifyInstance = fastify({
    https: { cert: tls.cert, key: tls.key, minVersion: 'TLSv1.2' },
    logger: false,
    bodyLimit: SMALL_BODY,
    requestTimeout: DEADLINE_MS,
    connectionTimeout: 120_000,
    return503OnClosing: true,
    forceCloseConnections: true,
  });

  const who = async (request: FastifyRequest, signal: AbortSignal): Promise<WorkerCaller> => {
    const subject = await reviewer.review(request.headers.authorization, signal);
    if (!rates.allow(subject.podUID)) throw new CallRefused('TooManyRequests');
    return identifyWorker(subject, deps, signal);
  };

  const routes: Record<string, RouteHandlerMethod> = {
    [ROUTES.grants]: async (request): Promise<GrantReply> => {
      const signal = AbortSignal.timeout(DEADLINE_MS);
      const caller = await who(request, signal);
      return makeGrants(read(grantRequest, request.body), caller, deps, signal);
    },
    [ROUTES.planned]: async (request): Promise<PlannedReply> => {
      const caller = await who(request, AbortSignal.timeout(DEADLINE_MS));
      const { workers } = read(plannedRequest, request.body);
      if (caller.kind !== 'copy' || caller.index !== 0)
        throw new CallRefused('NotGranted', { detail: 'Only worker 0 of a copy makes a plan.' });
      deps.planned(caller, workers);
      return { workers: caller.workers };
    },
    [ROUTES.progress]: async (request, reply) => {
      const caller = await who(request, AbortSignal.timeout(DEADLINE_MS));
      deps.progressed(caller, read(progressRequest, request.body));
      return reply.code(204).send();
    },
    [ROUTES.commit]: async (request): Promise<CommitReply> => {
      const signal = AbortSignal.timeout(DEADLINE_MS);
      return deps.admit(await who(request, signal), signal);
    },
    [ROUTES.report]: async (request, reply) => {
      const signal = AbortSignal.timeout(DEADLINE_MS);
      const caller = await who(request, signal);
      const { sha256 } = read(reportRequest, request.body);
      deps.reported(caller, await readReported(caller, sha256, deps, signal));
      return reply.code(204).send();
    },
  };
  for (const [url, handler] of Object.entries(routes)) {
    const bodyLimit = url === ROUTES.grants ? GRANT_BODY : SMALL_BODY;
    server.route({ method: 'POST', url, bodyLimit, handler });
  }

  server.setNotFoundHandler(async () => {
    throw new CallRefused('NotFound');
  });
  server.setErrorHandler(async (error, request, reply) => {
    const refusal = toRefusal(error);
    const fields = { route: request.routeOptions.url ?? 'unknown', code: refusal.code };
    if (refusal.status >= 500)
      deps.log.warn({ ...fields, reason: reasonOf(refusal) }, 'a worker could not be served');
    else deps.log.debug(fields, 'a request was refused');
    if (refusal.status === 429 || refusal.status === 503) reply.header('retry-after', '1');
    await reply.code(refusal.status).send({ code: refusal.code, message: refusal.message });
  });
  return server;
}

/** @throws CallRefused BadRequest that names the field. */
function read<T extends z.ZodType>(schema: T, body: unknown): z.infer<T> {
  const { data, error } = schema.safeParse(body ?? {});
  if (error === undefined) return data;
  const [issue] = error.issues;
  const where = issue === undefined || issue.path.length === 0 ? 'body' : issue.path.join('.');
  throw new CallRefused('BadRequest', { detail: `${where}: ${issue?.message ?? 'malformed'}` });
}

/** Errors of the HTTP layer and of the operator's decisions by their code; everything unknown is ours. */
const KNOWN_CODES: Readonly<Record<string, RefusalCode>> = {
  RUN_SUSPENDED: 'RunSuspended',
  ATTEMPT_UNKNOWN: 'AttemptUnknown',
  FST_ERR_CTP_BODY_TOO_LARGE: 'TooLarge',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'BadRequest',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'BadRequest',
  FST_ERR_CTP_INVALID_JSON_BODY: 'BadRequest',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'BadRequest',
};

function toRefusal(error: unknown): CallRefused {
  if (error instanceof CallRefused) return error;
  if (error instanceof Error && error.name === 'ResultsError')
    return new CallRefused('StoreUnavailable', { cause: error });
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    const known = KNOWN_CODES[error.code];
    if (known !== undefined) return new CallRefused(known, { cause: error });
  }
  return new CallRefused('Internal', { cause: error });
}

function reasonOf({ cause }: CallRefused): string {
  return cause instanceof Error ? cause.message.slice(0, 300) : 'unknown';
}
