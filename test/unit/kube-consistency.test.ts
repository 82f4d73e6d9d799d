import { describe, expect, it } from 'vitest';
import { ConsistencyGate } from '../../operator/kube/consistency.ts';
import { Controller } from '../../operator/kube/controller.ts';
import { jobs, pods } from '../../operator/kube/resource.ts';
import { Store } from '../../operator/kube/store.ts';
import { WorkQueue } from '../../operator/kube/workqueue.ts';
import type { Job } from '../../operator/kube/types.ts';
import { ManualClock, settle } from '../support/fakeapi/manual-clock.ts';

const setUp = () => {
  const clock = new ManualClock();
  const store = new Store<Job>({ resource: jobs });
  store.replace([], '9');
  const requeued: string[] = [];
  const gate = new ConsistencyGate({ stores: [store], requeue: (key) => void requeued.push(key), clock });
  return { clock, store, requeued, gate };
};

describe('the consistency gate', () => {
  it('holds a key back until the store has seen its last write, and then brings it at once', () => {
    const { store, requeued, gate, clock } = setUp();
    expect(gate.ready('k')).toBe(true);
    gate.wroteAt('k', jobs, '11');
    gate.wroteAt('k', jobs, '10');
    expect(gate.ready('other')).toBe(true);
    expect(gate.ready('k')).toBe(false);
    store.bookmark('10');
    expect(requeued).toEqual([]);
    store.bookmark('11');
    expect(requeued).toEqual(['k']);
    expect(gate.ready('k')).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it('looks again every 100 ms, as a net', async () => {
    const { requeued, gate, clock } = setUp();
    gate.wroteAt('k', jobs, '100');
    expect(gate.ready('k')).toBe(false);
    await clock.advance(99);
    expect(requeued).toEqual([]);
    await clock.advance(1);
    expect(requeued).toEqual(['k']);
    expect(gate.ready('k')).toBe(false);
    await clock.advance(100);
    expect(requeued).toEqual(['k', 'k']);
  });

  it('does not wait for what no store follows, or for writes without a version', () => {
    const { gate } = setUp();
    gate.wroteAt('k', pods, '100');
    gate.wroteAt('k', jobs, undefined);
    expect(gate.ready('k')).toBe(true);
  });

  it('compares as integers', () => {
    const { store, gate } = setUp();
    gate.wroteAt('k', jobs, '10');
    expect(gate.ready('k')).toBe(false);
    store.bookmark('10');
    expect(gate.ready('k')).toBe(true);
  });

  it('does not wait for ever after the server went back to a backup', () => {
    const { store, gate } = setUp();
    gate.wroteAt('k', jobs, '100');
    expect(gate.ready('k')).toBe(false);
    store.replace([], '5');
    expect(gate.ready('k')).toBe(true);
  });

  it('forgets a key and ends its timers', () => {
    const { gate, clock, requeued, store } = setUp();
    gate.wroteAt('k', jobs, '100');
    gate.wroteAt('l', jobs, '100');
    expect(gate.ready('k')).toBe(false);
    expect(gate.ready('l')).toBe(false);
    gate.clear('k');
    gate.close();
    store.bookmark('100');
    expect(requeued).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it('keeps a controller from acting on a cache older than its own write', async () => {
    const clock = new ManualClock();
    const store = new Store<Job>({ resource: jobs });
    store.replace([], '1');
    const queue = new WorkQueue({ name: 'q', clock });
    const gate = new ConsistencyGate({ stores: [store], requeue: (key) => queue.add(key), clock });
    let created = 0;
    const controller = new Controller({
      name: 'c',
      queue,
      gate,
      clock,
      reconcile: (key) => {
        if (store.size === 0) {
          created += 1;
          gate.wroteAt(key, jobs, '2');
        }
        return Promise.resolve({});
      },
    });
    const stop = new AbortController();
    const running = controller.run(stop.signal);
    for (let round = 0; round < 5; round += 1) {
      queue.add('k');
      await settle();
    }
    expect(created).toBe(1);
    store.upsert({
      metadata: { name: 'j', namespace: 'a', uid: 'u', resourceVersion: '2' },
      spec: { template: {} },
    });
    await settle();
    expect(created).toBe(1);
    stop.abort();
    await running;
    gate.close();
    expect(clock.pending).toBe(0);
  });
});
