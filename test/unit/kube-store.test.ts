import { describe, expect, it, vi } from 'vitest';
import { compareResourceVersions } from '../../operator/kube/resource-version.ts';
import { jobs } from '../../operator/kube/resource.ts';
import { Store } from '../../operator/kube/store.ts';
import type { Job } from '../../operator/kube/types.ts';

const job = (name: string, version: number, owner = 'o1', uid = `uid-${name}`): Job => ({
  metadata: {
    name,
    namespace: 'a',
    uid,
    resourceVersion: String(version),
    labels: { stage: name.slice(0, 1) },
    ownerReferences: [{ apiVersion: 'v1', kind: 'Owner', name: 'o', uid: owner }],
  },
  spec: { template: {} },
});

const makeStore = (): Store<Job> =>
  new Store({
    resource: jobs,
    indexes: { stage: (object) => [object.metadata.labels?.['stage'] ?? ''] },
  });

describe('a store', () => {
  it('finds by owner and by index, through changes and deletions', () => {
    const store = makeStore();
    store.replace([job('x', 1), job('y', 2), job('z', 3, 'o2')], '3');
    expect(store.byOwner('o1').map((each) => each.metadata.name)).toEqual(['x', 'y']);
    expect(store.byIndex('stage', 'z')).toHaveLength(1);
    store.upsert(job('x', 4, 'o2'));
    expect(store.byOwner('o1').map((each) => each.metadata.name)).toEqual(['y']);
    expect(store.byOwner('o2').map((each) => each.metadata.name)).toEqual(['z', 'x']);
    store.remove(job('z', 5, 'o2'));
    expect(store.byOwner('o2').map((each) => each.metadata.name)).toEqual(['x']);
    expect(store.byOwner('nobody')).toEqual([]);
    expect(() => store.byIndex('unknown', '')).toThrow(TypeError);
  });

  it('replays to a late handler and stops telling one that left', () => {
    const store = makeStore();
    store.replace([job('x', 1)], '1');
    const added = vi.fn<() => void>();
    const leave = store.addHandler({ added });
    expect(added).toHaveBeenCalledTimes(1);
    leave();
    store.upsert(job('y', 2));
    expect(added).toHaveBeenCalledTimes(1);
  });

  it('passes over what it was told before, also after the deletion', () => {
    const store = makeStore();
    const told: string[] = [];
    store.addHandler({
      added: (object) => void told.push(`+${object.metadata.resourceVersion}`),
      modified: (object, previous) =>
        void told.push(`${previous.metadata.resourceVersion}>${object.metadata.resourceVersion}`),
      deleted: () => void told.push('-'),
    });
    store.replace([], '1');
    store.upsert(job('x', 2));
    store.upsert(job('x', 3));
    store.upsert(job('x', 2));
    store.upsert(job('x', 3));
    store.remove(job('x', 4));
    store.remove(job('x', 4));
    store.upsert(job('x', 3));
    expect(told).toEqual(['+2', '2>3', '-']);
    expect(store.lastResourceVersion).toBe('4');
  });

  it('does not let an old deletion end a new life', () => {
    const store = makeStore();
    store.replace([job('x', 5, 'o1', 'second')], '5');
    store.remove(job('x', 4, 'o1', 'first'));
    expect(store.get('a/x')?.metadata.uid).toBe('second');
  });

  it('tells its advance after the handlers, once for a whole list', () => {
    const store = makeStore();
    const order: string[] = [];
    store.addHandler({ added: () => void order.push('added') });
    store.onAdvance(() => void order.push(`at ${store.lastResourceVersion}`));
    store.replace([job('x', 1), job('y', 2)], '7');
    store.bookmark('9');
    store.bookmark('8');
    expect(order).toEqual(['added', 'added', 'at 7', 'at 9']);
  });

  it('is synced by the first list only', async () => {
    const store = makeStore();
    const synced = vi.fn<() => void>();
    const waiting = store.synced.then(synced);
    await Promise.resolve();
    expect(synced).not.toHaveBeenCalled();
    store.replace([], '0');
    await waiting;
    expect(store.hasSynced).toBe(true);
  });
});

describe('resource versions', () => {
  it('compare as integers of any length', () => {
    expect(compareResourceVersions('9', '10')).toBeLessThan(0);
    expect(compareResourceVersions('10', '9')).toBeGreaterThan(0);
    expect(compareResourceVersions('123456789012345678901', '123456789012345678902')).toBeLessThan(0);
    expect(compareResourceVersions('7', '7')).toBe(0);
  });

  it.each(['', 'abc', '-1', '01', '1.5'])('have no order with %o', (odd) => {
    expect(compareResourceVersions(odd, '5')).toBeUndefined();
    expect(compareResourceVersions('5', odd)).toBeUndefined();
  });
});
