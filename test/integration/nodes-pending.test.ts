import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeClient } from '../../operator/kube/client.ts';
import { createKubeClient } from '../../operator/kube/http-client.ts';
import { loadClusterAccess } from '../../operator/kube/kubeconfig.ts';
import { jobs, pods, type Resource } from '../../operator/kube/resource.ts';
import type { Job, KubeObject, Pod } from '../../operator/kube/types.ts';
import { explainPending, type PendingInput } from '../../operator/nodes/pending.ts';
import { PendingWatcher } from '../../operator/nodes/watch.ts';
import { startCluster } from '../cluster/cluster.ts';
import type { Cluster } from '../cluster/types.ts';

/** What others really say about pods that cannot be: the scheduler, Karpenter, quota and Pod Security. */
interface Namespace extends KubeObject {
  metadata: KubeObject['metadata'];
}
const namespaces: Resource<Namespace> = {
  group: '',
  version: 'v1',
  plural: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
};
interface ResourceQuota extends KubeObject {
  spec: { hard: Record<string, string> };
}
const quotas: Resource<ResourceQuota> = {
  group: '',
  version: 'v1',
  plural: 'resourcequotas',
  kind: 'ResourceQuota',
  namespaced: true,
};

const suffix = Date.now().toString(36);
const names = {
  free: `pending-free-${suffix}`,
  quota: `pending-quota-${suffix}`,
  secure: `pending-secure-${suffix}`,
};

const job = (podSpec: object = {}): Job => ({
  metadata: { generateName: 'waiting-' },
  spec: {
    template: {
      spec: {
        restartPolicy: 'Never',
        containers: [{ name: 'main', image: 'example.dev/none:1', resources: { requests: { cpu: '100m' } } }],
        ...podSpec,
      },
    },
  },
});

describe('why a pod is pending, in the words of a real cluster', () => {
  let cluster: Cluster | undefined;
  let client: KubeClient;
  let watcher: PendingWatcher;
  let changes = 0;

  beforeAll(async () => {
    const shared = process.env['EBBFLOW_TEST_KUBECONFIG'];
    if (shared === undefined)
      cluster = await startCluster({ name: `pending-${process.pid}`, systemNode: false });
    const access = await loadClusterAccess({ kubeconfig: shared ?? cluster?.kubeconfig ?? '' });
    client = createKubeClient({ access, userAgent: 'pending-test/1' });
    watcher = new PendingWatcher({ client, onChange: () => (changes += 1), afterMs: 100 });
    for (const name of Object.values(names)) {
      const labels: Record<string, string> =
        name === names.secure ? { 'pod-security.kubernetes.io/enforce': 'restricted' } : {};
      await client.create(namespaces, undefined, { metadata: { name, labels } });
    }
    await client.create(quotas, names.quota, { metadata: { name: 'tight' }, spec: { hard: { pods: '0' } } });
  }, 300_000);

  afterAll(async () => {
    watcher.stop();
    for (const name of Object.values(names))
      await client.delete(namespaces, undefined, name, { propagationPolicy: 'Background' });
    await client.close();
    await cluster?.stop();
  });

  /** Follows a Job, and its pod once there is one, until the explanation fits. */
  async function explainUntil(
    namespace: string,
    made: Job,
    fits: RegExp,
  ): Promise<ReturnType<typeof explainPending>> {
    const key = `${namespace}/${made.metadata.name}`;
    const jobUID = made.metadata.uid ?? '';
    for (const end = performance.now() + 45_000; ; ) {
      const { items } = await client.list(pods, namespace);
      const pod: Pod | undefined = items.find(({ metadata }) =>
        metadata.ownerReferences?.some(({ uid }) => uid === jobUID),
      );
      watcher.track(key, { namespace, jobUID, ...(pod?.metadata.uid && { podUID: pod.metadata.uid }) });
      const input: PendingInput = {
        ...watcher.latest(key),
        podConditions: pod?.status?.conditions,
        podsMissing: pod === undefined,
      };
      const found = explainPending(input);
      if (fits.test(found.message)) {
        watcher.untrack(key);
        return found;
      }
      if (performance.now() > end) throw new Error(`nobody said ${fits}; the last was: ${found.message}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  it('a quota shows on the Job', async () => {
    const made = await client.create(jobs, names.quota, job());
    const found = await explainUntil(names.quota, made, /exceeded quota/);
    expect(found.reason).toBe('PodCreationRefused');
    expect(found.message).toMatch(/^Error creating: pod is forbidden: exceeded quota: tight/);
    expect(changes).toBeGreaterThan(0);
  });

  it('so does Pod Security', async () => {
    const made = await client.create(jobs, names.secure, job());
    const found = await explainUntil(names.secure, made, /violates PodSecurity/);
    expect(found.reason).toBe('PodCreationRefused');
    expect(Buffer.byteLength(found.message)).toBeLessThanOrEqual(256);
  });

  it('a selector that no NodePool satisfies shows in the words of the scheduler and of Karpenter', async () => {
    const made = await client.create(
      jobs,
      names.free,
      job({ nodeSelector: { 'ebbflow.dev/pool': 'nowhere' }, tolerations: [{ operator: 'Exists' }] }),
    );
    const found = await explainUntil(names.free, made, /karpenter: /);
    expect(found.reason).toBe('WaitingForNode');
    expect(found.message).toMatch(/nodes? (are )?available/);
    expect(found.message).toMatch(/karpenter: Failed to schedule pod, .*pool/);
    expect(Buffer.byteLength(found.message)).toBeLessThanOrEqual(256);
  });
});
