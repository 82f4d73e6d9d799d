import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { KubeClient } from '../../operator/kube/client.ts';
import { systemClock } from '../../operator/kube/clock.ts';
import {
  isAlreadyExists,
  isConflict,
  isExpired,
  isInvalid,
  isNotFound,
  isTooLargeResourceVersion,
} from '../../operator/kube/errors.ts';
import { EventRecorder } from '../../operator/kube/events.ts';
import { createKubeClient } from '../../operator/kube/http-client.ts';
import { loadClusterAccess } from '../../operator/kube/kubeconfig.ts';
import { LeaderElector } from '../../operator/kube/lease.ts';
import { Reflector } from '../../operator/kube/reflector.ts';
import { compareResourceVersions } from '../../operator/kube/resource-version.ts';
import { eventsV1, jobs, leases, nodes, type Resource } from '../../operator/kube/resource.ts';
import { Store } from '../../operator/kube/store.ts';
import type { Job, KubeObject, Lease } from '../../operator/kube/types.ts';
import type { Cluster } from '../cluster/types.ts';
import { eventually } from '../support/fakeapi/eventually.ts';
import { Ledger } from '../support/fakeapi/ledger.ts';

interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

const configMaps: Resource<ConfigMap> = {
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
};
const namespaces: Resource = {
  group: '',
  version: 'v1',
  plural: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
};
const serviceAccounts: Resource = {
  group: '',
  version: 'v1',
  plural: 'serviceaccounts',
  kind: 'ServiceAccount',
  namespaced: true,
};

const run = promisify(execFile);

const namespace = `kube-${Date.now().toString(36)}`;
const job = (name: string, extra: Partial<Job['spec']> = {}): Job => ({
  metadata: { name, namespace, labels: { suite: 'kube' } },
  spec: {
    suspend: true,
    ...extra,
    template: {
      spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'example.dev/none:1' }] },
    },
  },
});

describe('against the real API server', () => {
  let cluster: Cluster | undefined;
  let client: KubeClient;
  let kubeconfig: string;
  /** Ends what a test leaves running, also one that failed. */
  let stop: AbortController;

  beforeAll(async () => {
    const shared = process.env['EBBFLOW_TEST_KUBECONFIG'];
    if (shared === undefined) {
      const { startCluster } = await import('../cluster/cluster.ts');
      cluster = await startCluster({ name: `kube-${process.pid}`, karpenter: false, systemNode: false });
    }
    kubeconfig = shared ?? cluster?.kubeconfig ?? '';
    const access = await loadClusterAccess({ kubeconfig });
    client = createKubeClient({ access, userAgent: 'kube-test/1' });
    await client.create(namespaces, undefined, { metadata: { name: namespace } });
  }, 300_000);

  beforeEach(() => {
    stop = new AbortController();
  });
  afterEach(() => stop.abort());

  afterAll(async () => {
    await client.delete(namespaces, undefined, namespace, { propagationPolicy: 'Background' });
    await client.close();
    await cluster?.stop();
  });

  it('creates, reads, changes and deletes, and tells the errors apart', async () => {
    const created = await client.create(jobs, namespace, job('crud'));
    expect(created.metadata.creationTimestamp).toMatch(/^\d{4}-.*Z$/);
    await expect(client.create(jobs, namespace, job('crud'))).rejects.toSatisfy(isAlreadyExists);
    await expect(client.create(jobs, namespace, job('Not A Name'))).rejects.toSatisfy(isInvalid);
    await expect(client.get(jobs, namespace, 'absent')).rejects.toSatisfy(isNotFound);

    const patched = await client.mergePatch(jobs, namespace, 'crud', { spec: { parallelism: 3 } });
    expect(patched.spec.parallelism).toBe(3);
    const stale = {
      metadata: { resourceVersion: created.metadata.resourceVersion, finalizers: ['example.dev/x'] },
    };
    await expect(client.mergePatch(jobs, namespace, 'crud', stale)).rejects.toSatisfy(isConflict);

    const preconditions = { uid: '00000000-0000-0000-0000-000000000000' };
    await expect(
      client.delete(jobs, namespace, 'crud', { propagationPolicy: 'Background', preconditions }),
    ).rejects.toSatisfy(isConflict);
    await client.delete(jobs, namespace, 'crud', {
      propagationPolicy: 'Background',
      preconditions: { uid: created.metadata.uid },
    });
    await expect(client.get(jobs, namespace, 'crud')).rejects.toSatisfy(isNotFound);
  });

  it('applies the full status by its own manager, and is refused on a stale view', async () => {
    const created = await client.create(jobs, namespace, job('status'));
    // The Job controller fills a status of its own first; wait for it, so that the stale view is ours alone.
    await delay(1_000);
    const read = await client.get(jobs, namespace, 'status');
    const options = {
      fieldManager: 'kube-test',
      resourceVersion: read.metadata.resourceVersion,
      uid: created.metadata.uid,
    };
    const condition = {
      type: 'example.dev/Seen',
      status: 'True',
      reason: 'Tested',
      message: '',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    };
    const applied = await client.applyStatus(jobs, namespace, 'status', { conditions: [condition] }, options);
    expect(applied.status?.conditions?.map((each) => each.type)).toContain('example.dev/Seen');
    // An equal apply changes nothing, so it also costs no event: the version stays.
    const again = await client.applyStatus(
      jobs,
      namespace,
      'status',
      { conditions: [condition] },
      { ...options, resourceVersion: undefined },
    );
    expect(again.metadata.resourceVersion).toBe(applied.metadata.resourceVersion);
    await expect(
      client.applyStatus(jobs, namespace, 'status', { conditions: [] }, options),
    ).rejects.toSatisfy(isConflict);
  });

  it('lists from the cache, in pages and whole, and knows versions from the future', async () => {
    for (let n = 0; n < 5; n += 1) {
      await client.create(configMaps, namespace, {
        metadata: { name: `page-${n}`, labels: { page: 'yes' } },
      });
    }
    const paged = await client.list(configMaps, namespace, { labelSelector: 'page=yes', limit: 2 });
    expect(paged.items.map((item) => item.metadata.name)).toEqual([
      'page-0',
      'page-1',
      'page-2',
      'page-3',
      'page-4',
    ]);
    const named = await client.list(configMaps, namespace, { fieldSelector: 'metadata.name=page-3' });
    expect(named.items).toHaveLength(1);
    await expect(
      client.list(configMaps, namespace, { resourceVersion: '999999999999', deadlineMs: 15_000 }),
    ).rejects.toSatisfy(isTooLargeResourceVersion);
  });

  it('gets 410, or all of it, for a watch from before all history', async () => {
    const read = async (): Promise<string> => {
      const watch = client.watch(configMaps, undefined, { resourceVersion: '1', signal: stop.signal });
      for await (const event of watch) return event.type;
      return 'nothing';
    };
    // A server that still has all history since its start serves it; one that has not says 410.
    const outcome = await read().catch((error: unknown) => (isExpired(error) ? 'expired' : error));
    stop.abort();
    expect(['expired', 'ADDED']).toContain(outcome);
  });

  it('reflects every change in order, moves its version with every write, and stops', async () => {
    const store = new Store<ConfigMap>({ resource: configMaps });
    const ledger = new Ledger();
    store.addHandler(ledger);
    const labelSelector = 'suite=reflect';
    const running = new Reflector({ client, resource: configMaps, store, labelSelector, namespace }).run(
      stop.signal,
    );
    await store.synced;
    const name = 'reflected';
    const labels = { suite: 'reflect' };
    const versions: (string | undefined)[] = [];
    const created = await client.create(configMaps, namespace, {
      metadata: { name, labels },
      data: { n: '0' },
    });
    versions.push(created.metadata.resourceVersion);
    for (let n = 1; n <= 5; n += 1) {
      const patched = await client.mergePatch(configMaps, namespace, name, { data: { n: String(n) } });
      versions.push(patched.metadata.resourceVersion);
    }
    await eventually(() => expect(store.get(`${namespace}/${name}`)?.data?.['n']).toBe('5'));
    expect(ledger.told.map((each) => each.resourceVersion)).toEqual(versions);
    expect(store.get(`${namespace}/${name}`)?.metadata.managedFields).toBeUndefined();

    // What leaves the selector is gone for us, and the version of that moment is known: the gate relies on it.
    const left = await client.mergePatch(configMaps, namespace, name, {
      metadata: { labels: { suite: null } },
    });
    await eventually(() => expect(store.size).toBe(0));
    expect(store.lastResourceVersion).toBe(left.metadata.resourceVersion);
    // It comes back, and is deleted for good: the deletion has a version of its own, newer than the object's.
    const back = await client.mergePatch(configMaps, namespace, name, { metadata: { labels } });
    await eventually(() => expect(store.size).toBe(1));
    await client.delete(configMaps, namespace, name, { propagationPolicy: 'Background' });
    await eventually(() => expect(store.size).toBe(0));
    const order = compareResourceVersions(
      store.lastResourceVersion ?? '',
      back.metadata.resourceVersion ?? '',
    );
    expect(order).toBeGreaterThan(0);

    stop.abort();
    await running;
    await client.create(configMaps, namespace, { metadata: { name: 'late', labels } });
    await delay(200);
    expect(store.size).toBe(0);
  });

  it('keeps its version moving on a quiet resource by bookmarks', async () => {
    // The server sends one at the end of a watch, and about every minute during it.
    const store = new Store<ConfigMap>({ resource: configMaps });
    const reflector = new Reflector({
      client,
      resource: configMaps,
      store,
      namespace,
      labelSelector: 'suite=nobody',
      timing: { watchMs: 6_000 },
      random: () => 0,
    });
    const running = reflector.run(stop.signal);
    await store.synced;
    const began = store.lastResourceVersion ?? '';
    const hasMoved = (): boolean =>
      (compareResourceVersions(store.lastResourceVersion ?? '', began) ?? 0) > 0;
    // A bookmark is only sent for what came after the watch had begun, so one change elsewhere may not be enough.
    for (let n = 0; n < 60 && !hasMoved(); n += 1) {
      await client.create(configMaps, namespace, { metadata: { name: `elsewhere-${n}` } });
      await delay(500);
    }
    expect(hasMoved()).toBe(true);
    expect(store.size).toBe(0);
    stop.abort();
    await running;
  });

  it('writes events that read back as they were meant', async () => {
    const about = await client.create(jobs, namespace, job('eventful'));
    const recorder = new EventRecorder({
      client,
      reportingController: 'example.dev/kube-test',
      reportingInstance: 'kube-test-1',
    });
    const { name, uid } = about.metadata;
    const regarding = { apiVersion: 'batch/v1', kind: 'Job', name, namespace, uid };
    const event = {
      regarding,
      type: 'Warning',
      reason: 'Tested',
      action: 'Test',
      note: '€'.repeat(500),
    } as const;
    recorder.record(event);
    recorder.record(event);
    await recorder.flush();
    const list = await client.list(eventsV1, namespace, { fieldSelector: 'reason=Tested' });
    expect(list.items).toHaveLength(1);
    expect(list.items[0]).toMatchObject({ regarding, type: 'Warning', action: 'Test' });
  });

  it('elects one leader, who gives the lease back', async () => {
    const elect = (identity: string) =>
      new LeaderElector({
        client,
        namespace,
        name: 'lock',
        identity,
        leaseDurationMs: 3_000,
        renewDeadlineMs: 2_000,
        retryPeriodMs: 300,
        clock: systemClock,
      });
    const order: string[] = [];
    const lead = (identity: string) => (signal: AbortSignal) =>
      new Promise<void>((resolve) => {
        order.push(identity);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    const stopA = new AbortController();
    const stopB = new AbortController();
    const a = elect('a').run(lead('a'), stopA.signal);
    await eventually(() => expect(order).toEqual(['a']));
    const b = elect('b').run(lead('b'), stopB.signal);
    await delay(4_000);
    expect(order).toEqual(['a']);
    const held: Lease = await client.get(leases, namespace, 'lock');
    expect(held.spec).toMatchObject({ holderIdentity: 'a', leaseTransitions: 0 });
    expect(held.spec?.renewTime).toMatch(/\.\d{6}Z$/);
    stopA.abort();
    await a;
    await eventually(() => expect(order).toEqual(['a', 'b']));
    expect((await client.get(leases, namespace, 'lock')).spec).toMatchObject({ holderIdentity: 'b' });
    stopB.abort();
    await b;
    expect((await client.get(leases, namespace, 'lock')).spec?.holderIdentity ?? '').toBe('');
  });

  it('asks who a token belongs to, audience and all', async () => {
    await client.create(serviceAccounts, namespace, { metadata: { name: 'worker' } });
    const args = ['--kubeconfig', kubeconfig, 'create', 'token', 'worker', '--namespace', namespace];
    const kubectl = cluster?.binaries.kubectl ?? 'kubectl';
    const requested = (await run(kubectl, [...args, '--audience', 'ebbflow'])).stdout.trim();
    const good = await client.tokenReview(requested, ['ebbflow']);
    expect(good).toMatchObject({ authenticated: true, audiences: ['ebbflow'] });
    expect(good.user?.username).toBe(`system:serviceaccount:${namespace}:worker`);
    expect((await client.tokenReview(requested, ['other'])).authenticated).not.toBe(true);
    expect((await client.tokenReview('forged', ['ebbflow'])).authenticated).not.toBe(true);
  });

  it('reads other paths and cluster-scoped resources', async () => {
    expect(JSON.parse(await client.raw('/version'))).toMatchObject({ major: '1' });
    expect((await client.list(nodes, undefined)).metadata.resourceVersion).toMatch(/^\d+$/);
  });
});
