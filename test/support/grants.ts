import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  ledgerPrefix,
  mayGet,
  mayPut,
  planPrefix,
  runPrefix,
  type Caller,
} from '../../workers/contract/keys.ts';
import {
  grantRequest,
  plannedRequest,
  ROUTES,
  type GetGrant,
  type GrantReply,
} from '../../workers/contract/workerapi.ts';
import type { S3Client } from '../../workers/s3/client.ts';
import { listObjects } from '../../workers/s3/listpage.ts';

/** A stand-in of the operator's worker API for one run: grants by our own presigner, no TLS, any token. */
export interface GrantServer {
  readonly url: string;
  /** Keys of the run in the results bucket start with this. */
  readonly prefix: string;
  /** Bodies posted to progress and report, in order. */
  readonly progress: unknown[];
  readonly reports: unknown[];
  /** Workers that the stage's Job has; grows when a plan is said to have shards for more, unless `growing` is false. */
  workers: number;
  growing: boolean;
  stop(): Promise<void>;
}

/** Serves grants on loopback. The caller is told by the token, which is `<podUID>.<index>`. */
export async function startGrants(
  client: S3Client,
  where: { readonly bucket: string; readonly runUID: string; readonly stage: string },
): Promise<GrantServer> {
  const prefix = runPrefix({ cluster: 'test', namespace: 'default', runUID: where.runUID });
  const progress: unknown[] = [];
  const reports: unknown[] = [];
  const signal = AbortSignal.timeout(600_000);
  const expiresIn = 900;

  const get = async (key: string): Promise<GetGrant> => {
    const what = { method: 'GET', bucket: where.bucket, key: prefix + key, expiresIn } as const;
    return { key, url: (await client.presign(what, signal)).url };
  };
  const put = async (key: string) => {
    const what = {
      method: 'PUT',
      bucket: where.bucket,
      key: prefix + key,
      expiresIn,
      createOnly: true,
    } as const;
    const { url, headers } = await client.presign(what, signal);
    return { key, url, headers: { ...headers } };
  };
  const list = async (below: string): Promise<string[]> => {
    const keys: string[] = [];
    let token: string | undefined;
    do {
      const what = { bucket: where.bucket, prefix: prefix + below, token };
      const page = await listObjects(client, what, signal);
      keys.push(...page.objects.map((object) => object.key.slice(prefix.length)));
      token = page.nextToken;
    } while (token !== undefined);
    return keys;
  };
  /** First the plan, then the ledger, from a key or prefix on. */
  const listStage = async (stage: string, after: string): Promise<string[]> => {
    const parts = [planPrefix(stage), ledgerPrefix(stage)];
    const first = Math.max(
      0,
      parts.findIndex((below) => after.startsWith(below)),
    );
    const keys = await Promise.all(parts.slice(first).map(list));
    return keys.flatMap((part, n) => (n === 0 ? part.filter((key) => key > after) : part));
  };
  const grant = async (token: string, body: unknown): Promise<GrantReply | string> => {
    const asked = grantRequest.parse(body);
    const [podUID = '', index] = token.split('.');
    const caller: Caller = { stage: where.stage, index: Number(index), podUID, copy: true, dependsOn: [] };
    const refused =
      asked.put?.find((key) => !mayPut(caller, key)) ?? asked.get?.find((key) => !mayGet(caller, key));
    if (refused !== undefined) return `not yours: ${refused}`;
    const existing = (
      await Promise.all((asked.list ?? []).map((stage) => listStage(stage, asked.after ?? '')))
    )
      .flat()
      .filter((key) => mayGet(caller, key));
    return {
      put: await Promise.all((asked.put ?? []).map(put)),
      get: await Promise.all((asked.get ?? []).map(get)),
      existing: await Promise.all(existing.map(get)),
      expiresAt: new Date(Date.now() + expiresIn * 1000).toISOString(),
    };
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    const token = (request.headers.authorization ?? '').replace('Bearer ', '');
    let status = 200;
    let reply: unknown = {};
    if (request.url === ROUTES.progress) progress.push(body);
    if (request.url === ROUTES.report) reports.push(body);
    if (request.url === ROUTES.grants) {
      const granted = await grant(token, body);
      status = typeof granted === 'string' ? 403 : 200;
      reply = typeof granted === 'string' ? { code: 'Forbidden', message: granted } : granted;
    }
    if (request.url === ROUTES.planned) {
      if (grants.growing) grants.workers = Math.max(grants.workers, plannedRequest.parse(body).workers);
      reply = { workers: grants.workers };
    }
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(reply));
  };
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      response.writeHead(500).end(JSON.stringify({ code: 'Internal', message: String(error) }));
    });
  });
  const grants: GrantServer = {
    url: await listen(server),
    prefix,
    progress,
    reports,
    workers: 1,
    growing: true,
    stop: () => stopServer(server),
  };
  return grants;
}

/** Listens on loopback, on a free port unless one is given, and returns the URL. */
export async function listen(server: Server, port = 0): Promise<string> {
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}

/** Stops a server and breaks its connections. */
export async function stopServer(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
