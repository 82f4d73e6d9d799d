/** A store in front of the cluster's store: it lets copies through one after the other, and counts them. */
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../../cluster/types.ts';

export interface SlowStore {
  readonly endpoint: string;
  /** How often each destination key was the target of a CopyObject that succeeded. */
  readonly copies: ReadonlyMap<string, number>;
  close(): Promise<void>;
}

/**
 * @param everyMs least time between two copies, in milliseconds, however many are asked for at once
 */
export async function startSlowStore(cluster: Cluster, everyMs: number): Promise<SlowStore> {
  const copies = new Map<string, number>();
  let turn = Promise.resolve();
  const takeTurn = (): Promise<void> => (turn = turn.then(() => sleep(everyMs)));
  const target = new URL(cluster.s3.endpoint);
  const serve = async (incoming: IncomingMessage, answer: ServerResponse): Promise<void> => {
    const isCopy = incoming.headers['x-amz-copy-source'] !== undefined;
    if (isCopy) await takeTurn();
    forward(target, incoming, answer, (status) => {
      if (!isCopy || status !== 200) return;
      const key = decodeURIComponent(incoming.url?.split('?')[0]?.split('/').slice(2).join('/') ?? '');
      copies.set(key, (copies.get(key) ?? 0) + 1);
    });
  };
  const server = createServer((incoming, answer) => void serve(incoming, answer));
  await new Promise<void>((resolve) => server.listen(0, cluster.hostAddress, resolve));
  return { endpoint: endpointOf(server, cluster.hostAddress), copies, close: () => close(server) };
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
