/** What the worker API needs to know about runs, answered by the caches and the controller. */
import type { Clock } from '../kube/clock.ts';
import type { KubeClient } from '../kube/client.ts';
import { isNotFound } from '../kube/errors.ts';
import type { Logger } from '../kube/logger.ts';
import type { Resource } from '../kube/resource.ts';
import type { Store } from '../kube/store.ts';
import type { KubeObject } from '../kube/types.ts';
import type { ResultsStore } from '../results/types.ts';
import type { LiveLookup, WorkerApiDeps } from '../workerapi/types.ts';
import { decideAdmission } from './admission.ts';
import type { RunController } from './controller.ts';
import { pipelineRuns } from './resource.ts';

export interface WorkerConnection {
  controller: RunController;
  client: KubeClient;
  store: ResultsStore;
  cluster: string;
  clock: Clock;
  log: Logger;
}

export function connectWorkers({
  controller,
  client,
  store,
  cluster,
  clock,
  log,
}: WorkerConnection): WorkerApiDeps {
  return {
    tokenReview: async (token, audiences, signal) => {
      // Before that, every worker would seem to belong to no run, and would give up for good.
      if (!controller.caches.hasSynced) throw new Error('the caches are not complete yet');
      return await client.tokenReview(token, audiences, { signal });
    },
    pods: lookup(client, controller.caches.pods),
    jobs: lookup(client, controller.caches.jobs),
    run: (uid) => controller.caches.runByUID(uid),
    store,
    cluster,
    admit: async (caller, signal) => {
      const verdict = await decideAdmission(client, pipelineRuns, caller, signal);
      return verdict.admitted ? { admitted: true } : { admitted: false, message: verdict.message };
    },
    reported: (caller, manifest) => controller.facts.reported(caller, manifest),
    planned: (caller, workers) => controller.facts.planned(caller, workers),
    progressed: (caller, progress) => controller.facts.progressed(caller, progress),
    fenced: (podUID) => controller.facts.isFenced(podUID),
    clock,
    log,
  };
}

function lookup<T extends KubeObject>(client: KubeClient, store: Store<T>): LiveLookup<T> {
  const resource: Resource<T> = store.resource;
  return {
    cached: (namespace, name) => store.get(`${namespace}/${name}`),
    fetch: async (namespace, name, signal) => {
      try {
        return await client.get(resource, namespace, name, { signal });
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
  };
}
