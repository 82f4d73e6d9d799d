import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { KubeClient } from '../../operator/kube/client.ts';
import { createKubeClient } from '../../operator/kube/http-client.ts';
import { silentLogger } from '../../operator/kube/logger.ts';
import { Reflector, type ReflectorOptions } from '../../operator/kube/reflector.ts';
import { jobs } from '../../operator/kube/resource.ts';
import { Store } from '../../operator/kube/store.ts';
import type { Job } from '../../operator/kube/types.ts';
import { eventually } from '../support/fakeapi/eventually.ts';
import type { Fault } from '../support/fakeapi/faults.ts';
import { Ledger } from '../support/fakeapi/ledger.ts';
import { FakeApi } from '../support/fakeapi/server.ts';

const path = (name: string): string => `/apis/batch/v1/namespaces/a/jobs/${name}`;
const job = (name: string, parallelism: number): Job => ({
  metadata: { name, namespace: 'a', labels: { app: 'e' }, managedFields: [{ manager: 'm' }] },
  spec: { parallelism, template: { spec: { containers: [] } } },
});

describe('a reflector', () => {
  let api: FakeApi;
  let client: KubeClient;
  let store: Store<Job>;
  let ledger: Ledger;
  let stop: AbortController;
  let running: Promise<void>;

  const start = (options: Partial<ReflectorOptions<Job>> = {}): void => {
    const reflector = new Reflector({
      client,
      resource: jobs,
      store,
      backoff: { baseMs: 2, maxMs: 20, resetMs: 1_000 },
      timing: { idleMs: 100, shortMs: 20, listMs: 300 },
      ...options,
    });
    running = reflector.run(stop.signal);
  };

  beforeEach(async () => {
    api = new FakeApi();
    await api.start();
    client = createKubeClient({
      access: api.access,
      userAgent: 'test/1',
      retry: { baseMs: 1, maxMs: 2, attempts: 1 },
    });
    store = new Store({ resource: jobs });
    ledger = new Ledger();
    store.addHandler(ledger);
    stop = new AbortController();
  });
  afterEach(async () => {
    stop.abort();
    await running;
    await client.close();
    await api.stop();
  });

  const versionsOf = (name: string): string[] =>
    ledger.told.filter((each) => each.name === name).map((each) => each.resourceVersion);
  const caughtUp = (): Promise<void> =>
    eventually(() => expect(store.lastResourceVersion).toBe(String(api.world.version)));

  it('lists the newest, watches with bookmarks, trims, and is synced', async () => {
    api.world.put(path('x'), job('x', 1));
    expect(store.hasSynced).toBe(false);
    start({ transform: (object) => ({ ...object, status: { active: 7 } }), labelSelector: 'app=e' });
    await store.synced;
    expect(store.hasSynced).toBe(true);
    expect(store.get('a/x')?.metadata.managedFields).toBeUndefined();
    expect(store.get('a/x')?.status?.active).toBe(7);

    api.world.put(path('x'), job('x', 2));
    await eventually(() => expect(store.get('a/x')?.spec.parallelism).toBe(2));
    expect(store.get('a/x')?.metadata.managedFields).toBeUndefined();
    // Only a bookmark can tell that the world went on elsewhere.
    const version = api.world.tick();
    await eventually(() => expect(store.lastResourceVersion).toBe(String(version)));

    api.world.delete(path('x'));
    await eventually(() => expect(store.size).toBe(0));
    expect(ledger.told.map((each) => each.change)).toEqual(['added', 'modified', 'deleted']);
    const [list, watch] = api.requests;
    expect(list?.query.get('resourceVersion'), 'the newest, not what a cache has').toBeNull();
    expect(list?.query.get('labelSelector')).toBe('app=e');
    expect(watch?.query.get('allowWatchBookmarks')).toBe('true');
    expect(watch?.query.get('labelSelector')).toBe('app=e');
    expect(Number(watch?.query.get('timeoutSeconds'))).toBeGreaterThanOrEqual(300);
    expect(Number(watch?.query.get('timeoutSeconds'))).toBeLessThanOrEqual(600);
  });

  it.each<Fault>([
    { kind: 'status', code: 500 },
    { kind: 'status', code: 429, reason: 'TooManyRequests' },
    { kind: 'status', code: 503, plain: true },
    { kind: 'reset' },
    { kind: 'hang' },
    { kind: 'halfBody' },
    { kind: 'status', code: 410, reason: 'Expired' },
    { kind: 'status', code: 504, reason: 'Timeout', causes: [{ reason: 'ResourceVersionTooLarge' }] },
  ])('survives a list that meets %o', async (fault) => {
    api.world.put(path('x'), job('x', 1));
    api.plan({ on: 'list', fault }, { on: 'list', fault });
    start();
    await store.synced;
    expect(store.get('a/x')?.spec.parallelism).toBe(1);
    expect(api.plannedFaults).toBe(0);
  });

  it.each<Fault>([
    { kind: 'status', code: 500 },
    { kind: 'status', code: 429, reason: 'TooManyRequests' },
    { kind: 'reset' },
    { kind: 'halfLine', after: 1 },
    { kind: 'break', after: 1 },
    { kind: 'end', after: 1 },
    { kind: 'silent', after: 1 },
    { kind: 'errorLine', after: 1 },
    { kind: 'garbage', after: 1 },
    { kind: 'duplicate' },
    { kind: 'shred' },
  ])('loses and repeats nothing in a watch that meets %o', async (fault) => {
    api.world.put(path('x'), job('x', 0));
    api.plan({ on: 'watch', fault }, { on: 'watch', fault });
    start();
    await store.synced;
    // Each change waits for the one before, so that both faults meet a watch in the middle of its work.
    for (let round = 1; round <= 6; round += 1) {
      api.world.put(path('x'), job('x', round));
      await eventually(() => expect(store.get('a/x')?.spec.parallelism).toBe(round));
    }
    // A fault that does not end its watch leaves the second one waiting for a watch that need not come.
    expect(api.plannedFaults).toBeLessThanOrEqual(
      fault.kind === 'duplicate' || fault.kind === 'shred' ? 1 : 0,
    );
    expect(versionsOf('x')).toEqual(['101', '102', '103', '104', '105', '106', '107']);
    expect(api.count((request) => !request.watch)).toBe(1);
  });

  it.each<Fault>([
    { kind: 'expire', after: 1 },
    { kind: 'status', code: 410, reason: 'Expired' },
  ])('lists again and tells only the difference after a watch that meets %o', async (fault) => {
    for (const name of ['kept', 'changed', 'gone']) api.world.put(path(name), job(name, 0));
    api.plan({ on: 'watch', fault });
    start();
    await store.synced;
    await eventually(() => expect(api.count((request) => request.watch)).toBeGreaterThanOrEqual(1));
    api.world.put(path('changed'), job('changed', 1));
    api.world.delete(path('gone'));
    api.world.put(path('new'), job('new', 1));
    await caughtUp();
    await eventually(() => expect(store.keys().toSorted()).toEqual(['a/changed', 'a/kept', 'a/new']));
    expect(versionsOf('kept')).toHaveLength(1);
    expect(versionsOf('changed')).toHaveLength(2);
    expect(ledger.told.filter((each) => each.change === 'deleted').map((each) => each.name)).toEqual([
      'gone',
    ]);
    expect(api.count((request) => !request.watch)).toBe(2);
    // Not older than what is known already.
    expect(
      Number(api.requests.findLast((request) => !request.watch)?.query.get('resourceVersion')),
    ).toBeGreaterThan(100);
  });

  it('catches up when its version was compacted away while the connection was cut', async () => {
    api.world.put(path('x'), job('x', 0));
    start();
    await store.synced;
    await eventually(() => expect(api.count((request) => request.watch)).toBe(1));
    api.cutConnections();
    for (let round = 1; round <= 3; round += 1) api.world.put(path('x'), job('x', round));
    api.world.tick();
    api.world.compact();
    await eventually(() => expect(store.get('a/x')?.spec.parallelism).toBe(3));
  });

  it('tells a recreated object as deleted and added', async () => {
    api.world.put(path('x'), job('x', 0));
    api.plan({ on: 'watch', fault: { kind: 'expire', after: 0 } });
    const handler = {
      deleted: vi.fn<() => void>(),
      added: vi.fn<() => void>(),
      modified: vi.fn<() => void>(),
    };
    const first = api.world.get(path('x'))?.metadata.uid;
    // Between the list and the watch's 410 the object is replaced by another one of the same name.
    store.addHandler({
      added: () => {
        if (handler.added.mock.calls.length > 0) return;
        handler.added();
        api.world.delete(path('x'));
        api.world.put(path('x'), job('x', 1));
      },
      deleted: handler.deleted,
      modified: handler.modified,
    });
    start();
    await eventually(() => expect(store.get('a/x')?.spec.parallelism).toBe(1));
    expect(store.get('a/x')?.metadata.uid).not.toBe(first);
    expect(handler.deleted).toHaveBeenCalledTimes(1);
    expect(handler.modified).not.toHaveBeenCalled();
  });

  it('takes the world as it is after a restored backup', async () => {
    api.world.put(path('x'), job('x', 0));
    api.world.put(path('y'), job('y', 0));
    start();
    await store.synced;
    const { epoch } = store;
    api.world.delete(path('y'));
    await caughtUp();
    api.world.rewind(50);
    api.world.put(path('x'), job('x', 9));
    api.cutConnections();
    await eventually(() => expect(store.get('a/x')?.spec.parallelism).toBe(9));
    expect(store.epoch).toBe(epoch + 1);
    api.world.put(path('x'), job('x', 10));
    await eventually(() => expect(store.get('a/x')?.spec.parallelism).toBe(10));
  });

  it('goes on when a handler throws, and says so', async () => {
    const error = vi.fn<() => void>();
    const logger = { ...silentLogger, error, child: () => logger };
    store = new Store({ resource: jobs, logger });
    store.addHandler({
      added: () => {
        throw new Error('bad handler');
      },
      modified: () => {
        throw new Error('bad handler');
      },
    });
    store.addHandler(ledger);
    store.onAdvance(() => {
      throw new Error('bad listener');
    });
    start();
    await store.synced;
    api.world.put(path('x'), job('x', 1));
    api.world.put(path('x'), job('x', 2));
    await eventually(() => expect(versionsOf('x')).toEqual(['101', '102']));
    expect(error).toHaveBeenCalled();
  });

  it('waits as long as Retry-After says', async () => {
    api.plan({ on: 'list', fault: { kind: 'status', code: 429, retryAfterSeconds: 1 } });
    const startMs = performance.now();
    start();
    await store.synced;
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(1000);
  });

  it('does not hammer a server whose every watch ends at once', async () => {
    for (let n = 0; n < 10_000; n += 1) api.plan({ on: 'watch', fault: { kind: 'end', after: 0 } });
    start({ backoff: { baseMs: 50, maxMs: 50, resetMs: 1_000 } });
    await store.synced;
    await new Promise((resolve) => void setTimeout(resolve, 500));
    expect(api.count((request) => request.watch)).toBeLessThanOrEqual(11);
  });

  it('does not hammer a server that calls every version expired', async () => {
    for (let n = 0; n < 10_000; n += 1) api.plan({ on: 'watch', fault: { kind: 'expire', after: 0 } });
    start({ backoff: { baseMs: 50, maxMs: 50, resetMs: 1_000 } });
    await store.synced;
    await new Promise((resolve) => void setTimeout(resolve, 500));
    expect(api.requests.length).toBeLessThanOrEqual(24);
  });

  it.each<{ name: string; prepare: (api: FakeApi) => void; until: (api: FakeApi) => boolean }>([
    {
      name: 'in a quiet watch',
      prepare: () => undefined,
      until: (a) => a.requests.some((each) => each.watch),
    },
    {
      name: 'in a hanging list',
      prepare: (a) => a.plan({ on: 'list', fault: { kind: 'hang' } }),
      until: (a) => a.requests.length > 0,
    },
    {
      name: 'in a watch that does not begin',
      prepare: (a) => a.plan({ on: 'watch', fault: { kind: 'hang' } }),
      until: (a) => a.requests.some((each) => each.watch),
    },
    {
      name: 'in back-off',
      prepare: (a) => a.plan({ on: 'list', fault: { kind: 'status', code: 429, retryAfterSeconds: 1 } }),
      until: (a) => a.requests.length > 0,
    },
  ])('really stops $name', async ({ prepare, until }) => {
    prepare(api);
    start();
    await eventually(() => expect(until(api)).toBe(true));
    stop.abort();
    await running;
    const { length } = api.requests;
    const told = ledger.told.length;
    api.world.put(path('late'), job('late', 1));
    await new Promise((resolve) => void setTimeout(resolve, 1_200));
    expect(api.requests).toHaveLength(length);
    expect(ledger.told).toHaveLength(told);
  });
});
