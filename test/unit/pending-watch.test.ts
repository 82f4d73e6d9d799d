import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KubeClient, ListOptions, WatchOptions } from '../../operator/kube/client.ts';
import { KubeError } from '../../operator/kube/errors.ts';
import type { KubeEvent, KubeList, WatchEvent } from '../../operator/kube/types.ts';
import { PendingWatcher } from '../../operator/nodes/watch.ts';
import { ManualClock, settle } from '../support/fakeapi/manual-clock.ts';

/** Lists and watches events by the UID of what they are about; everything else is refused. */
class EventClient {
  readonly listed: string[] = [];
  readonly open = new Set<string>();
  mostOpen = 0;
  failLists = 0;
  readonly #events = new Map<string, KubeEvent[]>();
  readonly #listeners = new Map<string, (event: WatchEvent<KubeEvent>) => void>();

  say(uid: string, message: string): void {
    const event: KubeEvent = {
      metadata: { name: `${uid}-${message}`, namespace: 'ns', uid: message, resourceVersion: '2' },
      involvedObject: { uid },
      message,
    };
    this.#events.set(uid, [...(this.#events.get(uid) ?? []), event]);
    this.#listeners.get(uid)?.({ type: 'ADDED', object: event });
  }

  list(namespace: string | undefined, options: ListOptions = {}): KubeList<KubeEvent> {
    const uid = uidOf(options.fieldSelector);
    this.listed.push(`${namespace}/${uid}`);
    if (this.failLists-- > 0) throw new KubeError({ status: 500, reason: 'InternalError' });
    return { metadata: { resourceVersion: '1' }, items: this.#events.get(uid) ?? [] };
  }

  async *watch(options: WatchOptions = {}): AsyncGenerator<WatchEvent<KubeEvent>> {
    const uid = uidOf(options.fieldSelector);
    const queue: WatchEvent<KubeEvent>[] = [];
    let wake: () => void = () => undefined;
    this.#listeners.set(uid, (event) => {
      queue.push(event);
      wake();
    });
    options.signal?.addEventListener('abort', () => wake());
    this.open.add(uid);
    this.mostOpen = Math.max(this.mostOpen, this.open.size);
    try {
      while (options.signal?.aborted !== true) {
        const next = queue.shift();
        if (next) yield next;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      this.open.delete(uid);
    }
  }
}

function uidOf(fieldSelector: string | undefined): string {
  const [field, uid] = fieldSelector?.split('=') ?? [];
  if (field !== 'involvedObject.uid' || uid === undefined) throw new Error(`selected by ${fieldSelector}`);
  return uid;
}

let clock: ManualClock;
let client: EventClient;
let changed: string[];
let watcher: PendingWatcher;

function make(maxWatches?: number): PendingWatcher {
  const refuse = (): never => {
    throw new Error('the watcher only lists and watches');
  };
  const port = new Proxy(Object.create(null), {
    get: (_target, name) => {
      if (name === 'list')
        return async (_resource: unknown, namespace: string | undefined, options?: ListOptions) =>
          client.list(namespace, options);
      if (name === 'watch')
        return (_resource: unknown, _namespace: unknown, options?: WatchOptions) => client.watch(options);
      return refuse;
    },
  });
  const typed: KubeClient = port;
  return new PendingWatcher({
    client: typed,
    clock,
    onChange: (key) => changed.push(key),
    ...(maxWatches !== undefined && { maxWatches }),
  });
}

const messages = (key: string): { pod: (string | undefined)[]; job: (string | undefined)[] } => {
  const { podEvents, jobEvents } = watcher.latest(key);
  return { pod: podEvents.map((event) => event.message), job: jobEvents.map((event) => event.message) };
};

beforeEach(() => {
  clock = new ManualClock();
  client = new EventClient();
  changed = [];
  watcher = make();
});
afterEach(() => watcher.stop());

describe('the watcher of pending stages', () => {
  it('asks nothing for the first two seconds, then follows the pod and its Job', async () => {
    client.say('job', 'refused');
    watcher.track('run/stage', { namespace: 'ns', jobUID: 'job', podUID: 'pod' });
    await clock.advance(1_999);
    expect(client.listed).toEqual([]);
    await clock.advance(1);
    expect(client.listed.toSorted()).toEqual(['ns/job', 'ns/pod']);
    client.say('pod', 'no node fits');
    await settle();
    expect(messages('run/stage')).toEqual({ pod: ['no node fits'], job: ['refused'] });
    expect(changed).toEqual(['run/stage', 'run/stage']);
  });

  it('a stage that starts within two seconds costs no request', async () => {
    watcher.track('a', { namespace: 'ns', jobUID: 'job', podUID: 'pod' });
    await clock.advance(1_000);
    watcher.untrack('a');
    await clock.advance(60_000);
    expect(client.listed).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it('tracking again changes nothing; a new pod is followed and the old one left', async () => {
    for (let n = 0; n < 3; n++) watcher.track('a', { namespace: 'ns', jobUID: 'job', podUID: 'p1' });
    await clock.advance(2_000);
    watcher.track('a', { namespace: 'ns', jobUID: 'job', podUID: 'p1' });
    expect(client.listed).toHaveLength(2);
    watcher.track('a', { namespace: 'ns', jobUID: 'job', podUID: 'p2' });
    await clock.advance(2_000);
    expect([...client.open].toSorted()).toEqual(['job', 'p2']);
    client.say('p1', 'late');
    await settle();
    expect(messages('a')).toEqual({ pod: [], job: [] });
  });

  it('sync tracks exactly the stages of its run', async () => {
    const target = (uid: string) => ({ namespace: 'ns', jobUID: uid });
    watcher.sync(
      'r1/',
      new Map([
        ['r1/a', target('j1')],
        ['r1/b', target('j2')],
      ]),
    );
    watcher.sync('r2/', new Map([['r2/a', target('j3')]]));
    await clock.advance(2_000);
    watcher.sync('r1/', new Map([['r1/b', target('j2')]]));
    await settle();
    expect([...client.open].toSorted()).toEqual(['j2', 'j3']);
    watcher.sync('r1/', new Map());
    await settle();
    expect([...client.open]).toEqual(['j3']);
  });

  it('never has more watches open than it may, and loses nobody', async () => {
    watcher.stop();
    watcher = make(3);
    for (let n = 0; n < 10; n++) watcher.track(`k${n}`, { namespace: 'ns', jobUID: `j${n}` });
    await clock.advance(2_000);
    for (let n = 0; n < 10; n++) {
      expect(client.open.size).toBe(Math.min(3, 10 - n));
      watcher.untrack(`k${n}`);
      await settle();
    }
    expect(client.mostOpen).toBe(3);
    expect(client.listed).toHaveLength(10);
  });

  it('survives a server that refuses', async () => {
    client.failLists = 3;
    client.say('job', 'refused');
    watcher.track('a', { namespace: 'ns', jobUID: 'job' });
    await clock.advance(120_000);
    expect(messages('a').job).toEqual(['refused']);
  });

  it('is silent once it is stopped', async () => {
    watcher.track('a', { namespace: 'ns', jobUID: 'job' });
    await clock.advance(2_000);
    watcher.stop();
    await settle();
    expect(client.open.size).toBe(0);
    client.say('job', 'late');
    watcher.track('b', { namespace: 'ns', jobUID: 'other' });
    await clock.advance(60_000);
    expect(changed).toEqual([]);
    expect(client.listed).toEqual(['ns/job']);
    expect(clock.pending).toBe(0);
  });
});
