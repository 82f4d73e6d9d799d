/** The listener for metrics and probes. */
import { fastify, type FastifyInstance } from 'fastify';
import type { Logger } from '../kube/logger.ts';

/** Resolves or returns nothing when all is well; throws, with the reason as message, when not. */
export type Check = () => void | Promise<void>;

export interface TelemetryServerOptions {
  host: string;
  /** 0 takes any free port. */
  port: number;
  metrics: () => Promise<{ contentType: string; body: string }>;
  /** Whether the process works at all: a failing one is restarted. By name. */
  alive: Readonly<Record<string, Check>>;
  /** Whether it can do its work now. By name. */
  ready: Readonly<Record<string, Check>>;
  logger: Logger;
  /** How long one check may take, in milliseconds; 2,000 unless given. */
  checkMs?: number;
}

export interface TelemetryServer {
  readonly host: string;
  readonly port: number;
  /** Answers what is being asked and takes nothing new. */
  close(): Promise<void>;
}

/** Serves /metrics, /healthz and /readyz. The port carries nothing secret and nothing that changes anything. */
export async function startTelemetryServer(options: TelemetryServerOptions): Promise<TelemetryServer> {
  const { host, port, logger, checkMs = 2_000 } = options;
  const server = fastify({ requestTimeout: 10_000, bodyLimit: 1_024, forceCloseConnections: 'idle' });

  server.get('/metrics', async (_request, reply) => {
    const { contentType, body } = await options.metrics();
    return reply.type(contentType).send(body);
  });
  serveChecks(server, '/healthz', options.alive, checkMs);
  serveChecks(server, '/readyz', options.ready, checkMs);
  server.setErrorHandler((error, request, reply) => {
    logger.error({ err: error, route: request.routeOptions.url }, 'telemetry request failed');
    return reply.code(500).type('text/plain').send('internal error\n');
  });

  await server.listen({ host, port });
  const address = server.server.address();
  return {
    host,
    port: typeof address === 'object' && address !== null ? address.port : port,
    close: () => server.close(),
  };
}

/** Answers 200 or 503 with one line per check, in the form that Kubernetes' own components use. */
function serveChecks(
  server: FastifyInstance,
  path: string,
  checks: Readonly<Record<string, Check>>,
  checkMs: number,
): void {
  server.get(path, async (_request, reply) => {
    const results = await Promise.all(
      Object.entries(checks).map(async ([name, check]) => ({
        name,
        problem: await runCheck(check, checkMs),
      })),
    );
    const lines = results.map(({ name, problem }) =>
      problem === undefined ? `[+]${name} ok` : `[-]${name} failed: ${problem}`,
    );
    const healthy = results.every(({ problem }) => problem === undefined);
    return reply
      .code(healthy ? 200 : 503)
      .type('text/plain')
      .send(`${[...lines, healthy ? 'ok' : 'failed'].join('\n')}\n`);
  });
}

async function runCheck(check: Check, checkMs: number): Promise<string | undefined> {
  const late = Promise.withResolvers<string>();
  const timer = setTimeout(() => late.resolve(`no answer within ${checkMs} ms`), checkMs);
  try {
    return await Promise.race([
      Promise.resolve()
        .then(check)
        .then(() => undefined),
      late.promise,
    ]);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    clearTimeout(timer);
  }
}
