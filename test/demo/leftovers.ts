import { LABEL } from '../../operator/api/names.ts';
import type { Cluster } from '../cluster/types.ts';

/** Kinds that report what happened rather than are something: they expire by themselves. */
const passedOver = new Set(['events', 'events.events.k8s.io']);

/** Names of all objects of any kind that the API server can list and that carry the run's label. */
export async function findLeftovers(cluster: Cluster, runUID: string): Promise<string[]> {
  const kinds = (await cluster.kubectl(['api-resources', '--verbs=list', '-o', 'name']))
    .split('\n')
    .filter((kind) => kind !== '' && !passedOver.has(kind));
  const selector = `${LABEL.runUID}=${runUID}`;
  const args = [
    'get',
    kinds.join(','),
    '--all-namespaces',
    '-l',
    selector,
    '-o',
    'name',
    '--ignore-not-found',
  ];
  const listed = await cluster.kubectl(args);
  return listed.split('\n').filter((line) => line !== '');
}
