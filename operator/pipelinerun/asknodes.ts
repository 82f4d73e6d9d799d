/**
 * Asks the API server itself about the nodes whose pods look lost. A cache of Nodes may be minutes old, above all right
 * after a start or behind a watch that has died unnoticed, and what is lost is killed, counted and replaced.
 */
import type { KubeClient } from '../kube/client.ts';
import { isNotFound } from '../kube/errors.ts';
import { nodes } from '../kube/resource.ts';
import type { Node } from '../kube/types.ts';
import { nodeLossTime } from '../nodes/lost.ts';
import { lossesOf, type Sight } from './observe.ts';

export interface AskNodesDeps {
  client: Pick<KubeClient, 'get'>;
  nodeLostSeconds: number;
}

/** The same with those pods lost that are so by the word of the API server. The others are looked at again. */
export async function confirmLosses(
  seen: Sight,
  { client, nodeLostSeconds }: AskNodesDeps,
  now: Date,
  signal: AbortSignal,
): Promise<Sight> {
  const suspects = seen.pods.filter(({ metadata }) => seen.lostPods.has(metadata.uid ?? ''));
  if (suspects.length === 0) return seen;
  const known = new Map<string, Node | undefined>();
  for (const name of new Set(suspects.map(({ spec }) => spec.nodeName ?? '')))
    known.set(name, await client.get(nodes, undefined, name, { signal }).catch(unlessNotFound));
  // One that answers again may fall silent again before the cache has seen either.
  const again = now.getTime() + nodeLostSeconds * 1000;
  const { lostPods, lossAt } = lossesOf(
    suspects,
    (pod) => {
      const node = known.get(pod.spec.nodeName ?? '');
      return nodeLossTime({ node, pod, nodeLostSeconds, nodesSynced: true }) ?? again;
    },
    now,
  );
  const looks = [seen.lossAt, lossAt].filter((time) => time !== undefined);
  return { ...seen, lostPods, ...(looks.length > 0 ? { lossAt: Math.min(...looks) } : {}) };
}

function unlessNotFound(error: unknown): undefined {
  if (!isNotFound(error)) throw error;
}
