/** The metrics of the controller library. */
import type { KubeMetrics } from '../kube/metrics.ts';
import type { Instruments } from './metrics.ts';
import { WorkInHand } from './workinhand.ts';

/** What the controller library reports, under controller-runtime's and client-go's names. */
export function createKubeSink(
  instruments: Instruments,
  monotonicMs: () => number,
): KubeMetrics & { collect(): void } {
  const inHand = new WorkInHand(monotonicMs);
  return {
    request(verb, _resource, code, seconds) {
      instruments.requests.inc({ method: verb, code });
      if (verb.toLowerCase() !== 'watch') instruments.requestSeconds.observe({ method: verb }, seconds);
    },
    reflector(resource, action, outcome) {
      if (action === 'list') instruments.lists.inc({ resource, outcome });
      else instruments.watchRestarts.inc({ resource, reason: outcome });
    },
    storeResourceVersion(resource, resourceVersion) {
      const version = Number(resourceVersion);
      // Versions are opaque by contract: a server whose versions are no numbers gets no figure, not a wrong one.
      if (Number.isFinite(version)) instruments.storeVersion.set({ resource }, version);
    },
    queueDepth: (name, depth) => instruments.queueDepth.set({ name }, depth),
    queueAdd: (name) => instruments.queueAdds.inc({ name }),
    queueRetry: (name) => instruments.queueRetries.inc({ name }),
    queueWait(name, seconds) {
      inHand.began(name);
      instruments.queueWaitSeconds.observe({ name }, seconds);
    },
    queueWork(name, seconds) {
      inHand.ended(name, seconds);
      instruments.queueWorkSeconds.observe({ name }, seconds);
    },
    reconcile(controller, result, seconds) {
      instruments.reconciles.inc({ controller, result });
      if (result === 'error') instruments.reconcileErrors.inc({ controller });
      instruments.reconcileSeconds.observe({ controller }, seconds);
    },
    activeWorkers(controller, active, maximum) {
      instruments.activeWorkers.set({ controller }, active);
      instruments.maximumWorkers.set({ controller }, maximum);
    },
    staleSyncSkip: (controller) => instruments.staleSkips.inc({ controller }),
    leader: (name, leading) => instruments.leader.set({ name }, leading ? 1 : 0),
    /** Brings the figures up to date that only time changes; called at every scrape. */
    collect() {
      for (const [name, { sum, longest }] of inHand.figures()) {
        instruments.queueUnfinishedSeconds.set({ name }, sum);
        instruments.queueLongestSeconds.set({ name }, longest);
      }
    },
  };
}
