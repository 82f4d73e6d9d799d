import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { ApiClient } from './api.ts';

/** What the cloud needs to know of a Node object. */
export interface CloudNode {
  readonly name: string;
  readonly instanceType: string;
  readonly isDeleted: boolean;
}

const nodeSchema = z.object({
  metadata: z.object({
    name: z.string(),
    labels: z.record(z.string(), z.string()).optional(),
    deletionTimestamp: z.string().optional(),
  }),
  spec: z.object({ providerID: z.string().optional() }),
});
const listSchema = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  items: z.array(nodeSchema),
});
const eventSchema = z.object({ type: z.string(), object: nodeSchema });

type NodeObject = z.infer<typeof nodeSchema>;

const isOurs = (node: NodeObject): boolean => node.spec.providerID?.startsWith('kwok://') === true;

const toCloudNode = ({ metadata }: NodeObject): CloudNode => ({
  name: metadata.name,
  instanceType: metadata.labels?.['node.kubernetes.io/instance-type'] ?? '',
  isDeleted: metadata.deletionTimestamp !== undefined,
});

/** Says something in the supervisor's log. */
export function tell(words: string): void {
  console.log(`${new Date().toISOString()} ${words}`);
}

/** Keeps `nodes` like the API server's list, by list and watch, until the signal. */
export async function followNodes(
  client: ApiClient,
  nodes: Map<string, CloudNode>,
  changed: () => void,
  signal: AbortSignal,
) {
  while (!signal.aborted) {
    try {
      const { status, body } = await client.send('GET', '/api/v1/nodes');
      if (status !== 200) throw new Error(`listing nodes: ${status}`);
      const list = listSchema.parse(body);
      nodes.clear();
      for (const node of list.items.filter(isOurs)) nodes.set(node.metadata.name, toCloudNode(node));
      changed();
      const query = `watch=1&timeoutSeconds=120&resourceVersion=${list.metadata.resourceVersion}`;
      for await (const line of client.watch(`/api/v1/nodes?${query}`, signal)) {
        const event = eventSchema.parse(JSON.parse(line)); // an ERROR event has no such object: list again
        if (event.type === 'DELETED') nodes.delete(event.object.metadata.name);
        else if (isOurs(event.object)) nodes.set(event.object.metadata.name, toCloudNode(event.object));
        changed();
      }
    } catch (error) {
      if (!signal.aborted) tell(`watching nodes: ${String(error)}`);
      await sleep(500);
    }
  }
}
