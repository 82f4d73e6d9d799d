/** A store in front of the cluster's store: it lets copies through one after the other, and counts them; or it holds uploads. */
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../../cluster/types.ts';

export interface SlowStore {
  readonly endpoint: string;
  /** How often each destination key was the target of a CopyObject that succeeded. */
  readonly copies: ReadonlyMap<string, number>;
  /** How many uploads have come, whether they were let through or not. */
  uploads(): number;
  /** Lets uploads through from now on, those that wait first. */
  letUploadsThrough(): void;
  close(): Promise<void>;
}

export interface SlowStoreOptions {
  /** Least time between two copies, in milliseconds, however many are asked for at once. */
  readonly copyEveryMs?: number;
  /** Whether uploads wait for `letUploadsThrough`. */
  readonly holdUploads?: boolean;
}

export async function startSlowStore(cluster: Cluster, options: SlowStoreOptions): Promise<SlowStore> {
  const { copyEveryMs = 0, holdUploads = false } = options;
  const copies = new Map<string, number>();
  let turn = Promise.resolve();
  const takeTurn = (): Promise<void> => (turn = turn.then(() => sleep(copyEveryMs)));
  let uploads = 0;
  const open = Promise.withResolvers<void>();
  if (!holdUploads) open.resolve();
  const target = new URL(cluster.s3.endpoint);
  const serve = async (incoming: IncomingMessage, answer: ServerResponse): Promise<void> => {
    const isCopy = incoming.headers['x-amz-copy-source'] !== undefined;
    if (isCopy) await takeTurn();
    else if (incoming.method === 'PUT') {
      uploads += 1;
      await open.promise;
    }
    forward(target, incoming, answer, (status) => {
      if (!isCopy || status !== 200) return;
      const key = decodeURIComponent(incoming.url?.split('?')[0]?.split('/').slice(2).join('/') ?? '');
      copies.set(key, (copies.get(key) ?? 0) + 1);
    });
  };
  const server = createServer((incoming, answer) => void serve(incoming, answer));
  await new Promise<void>((resolve) => server.listen(0, cluster.hostAddress, resolve));
  return {
    endpoint: endpointOf(server, cluster.hostAddress),
    copies,
    uploads: () => uploads,
    letUploadsThrough: () => open.resolve(),
    close: () => close(server),
  };
}

/** Headers go through as they are: the signature covers the host that the client knows. */
function forward(
  target: URL,
  incoming: IncomingMessage,
  answer: ServerResponse,
  answered: (status: number) => void,
): void {
  const { method, url, headers } = incoming;
  const { hostname: host, port } = target;
  const outgoing = request({ host, port, method, path: url, headers }, (response) => {
    answered(response.statusCode ?? 0);
    answer.writeHead(response.statusCode ?? 502, response.headers);
    response.pipe(answer);
  });
  outgoing.on('error', () => answer.destroy());
  incoming.pipe(outgoing);
}

function endpointOf(server: Server, host: string): string {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the slow store has no port');
  return `http://${host}:${address.port}`;
}

function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
