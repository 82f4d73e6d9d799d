import { createSocket } from 'node:dgram';
import { isIPv4 } from 'node:net';
import { z } from 'zod';
import type { ApiClient } from './api.ts';
import { codes, readQuestion, typeA, writeAnswer } from './dnsmessage.ts';

/** Names end in this, as in every cluster. */
export const clusterDomain = 'cluster.local';

const serviceSchema = z.object({ spec: z.object({ clusterIP: z.string().optional() }) });
const slicesSchema = z.object({
  items: z.array(
    z.object({
      endpoints: z
        .array(z.object({ addresses: z.array(z.string()), hostname: z.string().optional() }))
        .nullish(),
    }),
  ),
});

/** Parts of `[POD.]SERVICE.NAMESPACE.svc.cluster.local`; undefined for every other name. */
export function parseServiceName(
  name: string,
): { readonly pod?: string; readonly service: string; readonly namespace: string } | undefined {
  const found = /^(?:([a-z0-9-]+)\.)?([a-z0-9-]+)\.([a-z0-9-]+)\.svc\.cluster\.local$/.exec(name);
  const [, pod, service, namespace] = found ?? [];
  if (service === undefined || namespace === undefined) return undefined;
  return { service, namespace, ...(pod === undefined ? {} : { pod }) };
}

/** Addresses of a Service, or of its pods when it is headless; undefined when there is none. */
async function resolveName(client: ApiClient, name: string): Promise<readonly string[] | undefined> {
  const wanted = parseServiceName(name);
  if (wanted === undefined) return undefined;
  const { service, namespace, pod } = wanted;
  const found = await client.send('GET', `/api/v1/namespaces/${namespace}/services/${service}`);
  if (found.status === 404) return undefined;
  const clusterIP = serviceSchema.parse(found.body).spec.clusterIP ?? '';
  if (isIPv4(clusterIP)) return pod === undefined ? [clusterIP] : undefined;
  const selector = encodeURIComponent(`kubernetes.io/service-name=${service}`);
  const path = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?labelSelector=${selector}`;
  const slices = slicesSchema.parse((await client.send('GET', path)).body);
  const addresses = slices.items
    .flatMap(({ endpoints }) => endpoints ?? [])
    .filter(({ hostname }) => pod === undefined || hostname === pod)
    .flatMap((endpoint) => endpoint.addresses);
  return addresses.length > 0 ? addresses.slice(0, 20) : undefined;
}

/**
 * Name server of the cluster: Services and the pods of headless ones, asked of the API server for every query. Any
 * other name does not exist, at once, since pods have no way to the outside. Runs until the signal.
 */
export function serveNames(client: ApiClient, address: string, signal: AbortSignal): void {
  const socket = createSocket({ type: 'udp4', signal });
  socket.on('error', (error) => console.log(`name server: ${String(error)}`));
  socket.on('message', (query, sender) => {
    const question = readQuestion(query);
    if (question === undefined) return;
    const reply = (code: number, addresses?: readonly string[]) =>
      socket.send(writeAnswer(query, code, addresses), sender.port, sender.address);
    resolveName(client, question.name)
      .then((addresses) => {
        if (addresses === undefined) return reply(codes.noSuchName);
        return reply(codes.found, question.type === typeA ? addresses : []);
      })
      .catch(() => reply(codes.failed));
  });
  socket.bind(53, address);
}
