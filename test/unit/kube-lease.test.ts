import { describe, expect, it } from 'vitest';
import { KubeConnectionError } from '../../operator/kube/errors.ts';
import { LeaderElector, LeadershipLostError } from '../../operator/kube/lease.ts';
import { leases } from '../../operator/kube/resource.ts';
import type { Lease } from '../../operator/kube/types.ts';
import { ManualClock, settle } from '../support/fakeapi/manual-clock.ts';
import { MemoryClient } from '../support/fakeapi/memory-client.ts';
import { World } from '../support/fakeapi/world.ts';

const path = '/apis/coordination.k8s.io/v1/namespaces/ns/leases/lock';

interface Candidate {
  elector: LeaderElector;
  client: MemoryClient;
  clock: ManualClock;
  stop: AbortController;
  /** Whether `lead` runs with a signal that still stands. */
  leads: () => boolean;
  running: Promise<unknown>;
}

/** A candidate with its own clock, which may differ from the others' by any amount. */
const enter = (world: World, identity: string, drain: Promise<void> = Promise.resolve()): Candidate => {
  const client = new MemoryClient(world);
  const clock = new ManualClock();
  const stop = new AbortController();
  let leading = false;
  const elector = new LeaderElector({
    client,
    namespace: 'ns',
    name: 'lock',
    identity,
    clock,
    random: () => 0,
  });
  const running = elector
    .run(async (signal) => {
      leading = true;
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => {
          leading = false;
          resolve();
        });
      });
      await drain;
    }, stop.signal)
    .catch((error: unknown) => error);
  return { elector, client, clock, stop, leads: () => leading, running };
};

const read = async (world: World): Promise<Lease> => new MemoryClient(world).get(leases, 'ns', 'lock');

describe('leader election', () => {
  it('has one leader, who renews; the other waits however long', async () => {
    const world = new World();
    const a = enter(world, 'a');
    await settle();
    const b = enter(world, 'b');
    for (let second = 0; second < 120; second += 1) {
      await a.clock.advance(1_000);
      await b.clock.advance(1_000);
      expect(a.leads()).toBe(true);
      expect(b.leads()).toBe(false);
    }
    const lease = await read(world);
    expect(lease.spec?.holderIdentity).toBe('a');
    expect(lease.spec?.leaseTransitions).toBe(0);
    expect(lease.spec?.leaseDurationSeconds).toBe(15);
    expect(lease.spec?.renewTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    a.stop.abort();
    b.stop.abort();
    await Promise.all([a.running, b.running]);
    expect(a.clock.pending + b.clock.pending).toBe(0);
  });

  it('replaces a leader that died, after the duration as the follower saw it', async () => {
    const world = new World();
    const a = enter(world, 'a');
    await settle();
    // The dead leader's clock was a year ahead: its times say nothing.
    const dead = await read(world);
    world.put(path, { ...dead, spec: { ...dead.spec, renewTime: '2027-01-01T00:00:00.000000Z' } } as Lease);
    const b = enter(world, 'b');
    await b.clock.advance(14_000);
    expect(b.leads()).toBe(false);
    await b.clock.advance(4_000);
    expect(b.leads()).toBe(true);
    const lease = await read(world);
    expect(lease.spec?.holderIdentity).toBe('b');
    expect(lease.spec?.leaseTransitions).toBe(1);

    // The dead leader was only asleep: it wakes up, is refused, and ends.
    await a.clock.advance(2_000);
    expect(a.leads()).toBe(false);
    expect(await a.running).toBeInstanceOf(LeadershipLostError);
    expect((await read(world)).spec?.holderIdentity).toBe('b');
    b.stop.abort();
    await b.running;
  });

  it('gives the lease back only when its work has drained, so the next one need not wait', async () => {
    const world = new World();
    const { promise, resolve } = Promise.withResolvers<void>();
    const a = enter(world, 'a', promise);
    await settle();
    const b = enter(world, 'b');
    await b.clock.advance(2_000);
    a.stop.abort();
    await a.clock.advance(6_000);
    expect((await read(world)).spec?.holderIdentity).toBe('a');
    resolve();
    await a.running;
    expect((await read(world)).spec?.holderIdentity).toBe('');
    await b.clock.advance(2_000);
    expect(b.leads()).toBe(true);
    b.stop.abort();
    await b.running;
  });

  it('survives failures shorter than the renew deadline', async () => {
    const world = new World();
    const a = enter(world, 'a');
    await settle();
    a.client.before = () => Promise.reject(new KubeConnectionError('down'));
    await a.clock.advance(7_000);
    expect(a.leads()).toBe(true);
    a.client.before = () => Promise.resolve();
    await a.clock.advance(60_000);
    expect(a.leads()).toBe(true);
    a.stop.abort();
    await a.running;
  });

  it('survives an answer that was lost after the write', async () => {
    const world = new World();
    const a = enter(world, 'a');
    await settle();
    let failures = 2;
    a.client.after = () =>
      failures-- > 0 ? Promise.reject(new KubeConnectionError('cut')) : Promise.resolve();
    await a.clock.advance(60_000);
    expect(failures).toBeLessThan(0);
    expect(a.leads()).toBe(true);
    a.stop.abort();
    await a.running;
  });

  it.each(['fails', 'hangs'] as const)('stops leading at the deadline when every renewal %s', async (how) => {
    const world = new World();
    const a = enter(world, 'a');
    await settle();
    a.client.before = () =>
      how === 'fails' ? Promise.reject(new KubeConnectionError('down')) : new Promise<never>(() => undefined);
    await a.clock.advance(9_999);
    expect(a.leads()).toBe(true);
    await a.clock.advance(1);
    expect(a.leads()).toBe(false);
    expect(await a.running).toBeInstanceOf(LeadershipLostError);
    expect(a.elector.isLeader).toBe(false);
  });

  it('takes the lease again when somebody deleted it', async () => {
    const world = new World();
    const a = enter(world, 'a');
    await settle();
    world.delete(path);
    await a.clock.advance(6_000);
    expect(a.leads()).toBe(true);
    expect((await read(world)).spec?.holderIdentity).toBe('a');
    a.stop.abort();
    await a.running;
  });

  it('ends quietly when it is stopped before it ever led', async () => {
    const world = new World();
    const a = enter(world, 'a');
    await settle();
    const b = enter(world, 'b');
    await b.clock.advance(5_000);
    b.stop.abort();
    expect(await b.running).toBeUndefined();
    expect(b.clock.pending).toBe(0);
    a.stop.abort();
    await a.running;
  });

  it('gives the lease back and fails as its work did', async () => {
    const world = new World();
    const elector = new LeaderElector({
      client: new MemoryClient(world),
      namespace: 'ns',
      name: 'lock',
      identity: 'a',
      clock: new ManualClock(),
    });
    const failure = new Error('work failed');
    await expect(elector.run(() => Promise.reject(failure), new AbortController().signal)).rejects.toBe(
      failure,
    );
    expect((await read(world)).spec?.holderIdentity).toBe('');
  });

  it('has never two leaders whose signals stand, in any order of sleeps and failures', async () => {
    // A small deterministic search over schedules: which candidate sleeps or fails in which five seconds.
    for (let schedule = 0; schedule < 64; schedule += 1) {
      const world = new World();
      const a = enter(world, 'a');
      await settle();
      const b = enter(world, 'b');
      await settle();
      for (let slot = 0; slot < 6; slot += 1) {
        const fails = (schedule >> slot) & 1;
        a.client.before = () =>
          fails === 1 ? Promise.reject(new KubeConnectionError('down')) : Promise.resolve();
        for (let step = 0; step < 5; step += 1) {
          // The deadline passes before the follower's patience does, as long as both clocks run equally fast.
          await a.clock.advance(1_000);
          await b.clock.advance(1_000);
          expect(a.leads() && b.leads()).toBe(false);
        }
      }
      a.client.before = () => Promise.resolve();
      a.stop.abort();
      b.stop.abort();
      await Promise.all([a.running, b.running]);
    }
  });
});
