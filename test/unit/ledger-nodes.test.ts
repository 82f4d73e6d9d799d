import { beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../operator/kube/clock.ts';
import { foreignPodBefore } from '../../operator/nodes/foreign.ts';
import { NodeLedger, type NodeLedgerOptions } from '../../operator/nodes/ledger.ts';
import type { NodesRecord } from '../../operator/nodes/record.ts';

/** A clock in whole seconds that moves only when told to. */
class TestClock implements Clock {
  #second = 0;
  readonly #timers = new Set<{ at: number; callback: () => void }>();
  now = (): Date => new Date(time(this.#second));
  monotonicMs = (): number => this.#second * 1_000;
  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#second + ms / 1_000, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }
  to(second: number): void {
    for (;;) {
      const [next] = [...this.#timers].filter(({ at }) => at <= second).toSorted((x, y) => x.at - y.at);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#second = Math.max(this.#second, next.at);
      next.callback();
    }
    this.#second = second;
  }
}

const time = (second: number): string => new Date(Date.UTC(2026, 0, 1) + second * 1_000).toISOString();
const node = (name: string, created: number, uid = `uid-${name}`) => ({
  metadata: {
    name,
    uid,
    creationTimestamp: time(created),
    labels: {
      'node.kubernetes.io/instance-type': 'c-4x',
      'karpenter.sh/capacity-type': 'spot',
      'topology.kubernetes.io/zone': 'z1',
    },
  },
});
const pod = (runUID: string, nodeName: string | undefined, bound: number, uid = `${runUID}@${bound}`) => ({
  metadata: { uid },
  spec: { nodeName },
  status: { conditions: [{ type: 'PodScheduled', status: 'True', lastTransitionTime: time(bound) }] },
});

let clock: TestClock;
let finals: NodesRecord[];
/** Records that are only for the case that there is none. */
let lowerBounds: NodesRecord[];
let counted: string[];
const make = (options: Partial<NodeLedgerOptions> = {}): NodeLedger =>
  new NodeLedger({
    clock,
    onFinal: (record, ifMissing) => (ifMissing ? lowerBounds : finals).push(record),
    onLaunched: ({ name }) => counted.push(`+${name}`),
    onGone: ({ name }, seconds) => counted.push(`-${name} ${seconds}`),
    ...options,
  });

beforeEach(() => {
  clock = new TestClock();
  finals = [];
  lowerBounds = [];
  counted = [];
});

describe('the node ledger', () => {
  it('counts a node that came up for a run from its creation until it is gone', () => {
    const ledger = make();
    ledger.begin('r', time(10));
    clock.to(20);
    ledger.nodeSeen(node('n', 20));
    ledger.podSeen('r', pod('r', undefined, 0));
    expect(ledger.figures('r')).toEqual({ launched: 0, nodeSeconds: 0 });
    clock.to(25);
    ledger.podSeen('r', pod('r', 'n', 25));
    clock.to(50);
    expect(ledger.figures('r')).toEqual({ launched: 1, nodeSeconds: 30 });

    ledger.finish('r');
    expect(finals).toEqual([]);
    clock.to(80);
    ledger.nodeGone(node('n', 20));
    expect(finals).toEqual([
      {
        version: 1,
        runUID: 'r',
        launched: 1,
        nodeSeconds: 60,
        nodes: [
          {
            name: 'n',
            instanceType: 'c-4x',
            capacityType: 'spot',
            zone: 'z1',
            createdAt: time(20),
            goneAt: time(80),
            seconds: 60,
          },
        ],
      },
    ]);
    expect(counted).toEqual(['+n', '-n 60']);
  });

  it.each([
    ['node, pod, run', [0, 1, 2]],
    ['pod, node, run', [1, 0, 2]],
    ['run, pod, node', [2, 1, 0]],
    ['pod, run, node', [1, 2, 0]],
  ])('does not mind the order %s', (_name, order) => {
    clock.to(60);
    const ledger = make();
    const tell = [
      () => ledger.nodeSeen(node('n', 20)),
      () => ledger.podSeen('r', pod('r', 'n', 25)),
      () => ledger.begin('r', time(10)),
    ];
    for (const index of order) tell[index]?.();
    expect(ledger.figures('r')).toEqual({ launched: 1, nodeSeconds: 40 });
  });

  it('leaves out a node that was there before the run, and one whose first pod was another run’s', () => {
    const ledger = make();
    ledger.begin('a', time(100));
    ledger.begin('b', time(110));
    clock.to(130);
    ledger.nodeSeen(node('old', 99));
    ledger.podSeen('a', pod('a', 'old', 101));
    ledger.nodeSeen(node('n', 120));
    ledger.podSeen('b', pod('b', 'n', 128));
    ledger.podSeen('a', pod('a', 'n', 125));
    expect(ledger.figures('a')).toEqual({ launched: 1, nodeSeconds: 10 });
    expect(ledger.figures('b')).toEqual({ launched: 0, nodeSeconds: 0 });
  });

  it('a node that outlives its run is nobody else’s', () => {
    const ledger = make();
    ledger.begin('a', time(0));
    clock.to(20);
    ledger.nodeSeen(node('n', 10));
    ledger.podSeen('a', pod('a', 'n', 15));
    ledger.finish('a');
    ledger.forget('a');
    ledger.begin('b', time(5));
    ledger.podSeen('b', pod('b', 'n', 20));
    expect(ledger.figures('b').launched).toBe(0);
  });

  it('two machines behind one name are two nodes', () => {
    const ledger = make();
    ledger.begin('r', time(0));
    clock.to(10);
    ledger.nodeSeen(node('n', 10, 'first'));
    ledger.podSeen('r', pod('r', 'n', 12));
    clock.to(40);
    ledger.nodeGone(node('n', 10, 'first'));
    clock.to(100);
    ledger.nodeSeen(node('n', 90, 'second'));
    expect(ledger.figures('r')).toEqual({ launched: 1, nodeSeconds: 30 });
    ledger.podSeen('r', pod('r', 'n', 95));
    expect(ledger.figures('r')).toEqual({ launched: 2, nodeSeconds: 40 });
  });

  it('a run without nodes is final once the caches had time to speak, and only once', () => {
    const ledger = make();
    ledger.begin('r', time(0));
    ledger.finish('r');
    ledger.finish('r');
    expect(finals).toEqual([]);
    clock.to(5);
    ledger.begin('r', time(0));
    ledger.finish('r');
    clock.to(9_000);
    expect(finals).toHaveLength(1);
    expect(finals[0]).toMatchObject({ launched: 0, nodeSeconds: 0, nodes: [] });
  });

  it('closes the record after 30 minutes even when a node stays', () => {
    const ledger = make();
    ledger.begin('r', time(0));
    clock.to(10);
    ledger.nodeSeen(node('n', 10));
    ledger.podSeen('r', pod('r', 'n', 11));
    ledger.finish('r');
    clock.to(10 + 1_799);
    expect(finals).toEqual([]);
    clock.to(10 + 1_800);
    expect(finals[0]).toMatchObject({ launched: 1, nodeSeconds: 1_800, nodes: [{ goneAt: null }] });
    clock.to(9_000);
    expect(ledger.figures('r').nodeSeconds).toBe(1_800);
  });

  it('keeps the nodes of a long run that have gone long before its end', () => {
    const ledger = make();
    ledger.begin('r', time(0));
    for (const [name, start] of [
      ['n1', 0],
      ['n2', 5_000],
    ] as const) {
      clock.to(start);
      ledger.nodeSeen(node(name, start));
      ledger.podSeen('r', pod('r', name, start + 1));
      clock.to(start + 100);
      ledger.nodeGone(node(name, start));
    }
    clock.to(9_000);
    expect(ledger.figures('r')).toEqual({ launched: 2, nodeSeconds: 200 });
  });

  it('never says less than before a restart, and does not count anew what was counted then', () => {
    clock.to(1_000);
    const ledger = make();
    ledger.nodeSeen(node('n', 900));
    ledger.podSeen('r', pod('r', 'n', 910));
    ledger.begin('r', time(800), { launched: 3, nodeSeconds: 50 });
    expect(ledger.figures('r')).toEqual({ launched: 3, nodeSeconds: 100 });
    expect(counted).toEqual([]);
  });

  it.each([undefined, time(950)])(
    'of runs that were over before a restart (completionTime %s) says what is known, for the case that it is all there is',
    (completionTime) => {
      clock.to(1_000);
      const ledger = make();
      ledger.begin('r', time(800), { launched: 3, nodeSeconds: 50 });
      ledger.finish('r', completionTime);
      clock.to(9_000);
      expect(finals).toEqual([]);
      expect(lowerBounds).toMatchObject([{ runUID: 'r', launched: 3, nodeSeconds: 50, nodes: [] }]);
    },
  );

  it('says nothing more of runs that were over for a day: all that was stored of them may be gone', () => {
    const day = 86_400;
    clock.to(2 * day);
    const ledger = make();
    const sums = { launched: 3, nodeSeconds: 50 };
    ledger.begin('old', time(0), sums);
    ledger.finish('old', time(day - 1));
    ledger.begin('young', time(0), sums);
    ledger.finish('young', time(day));
    clock.to(2 * day + 9_000);
    expect(finals).toEqual([]);
    expect(lowerBounds.map(({ runUID }) => runUID)).toEqual(['young']);
    expect(ledger.figures('old')).toEqual(sums);
  });

  it('after a restart, takes the nodes that are told after the run', () => {
    clock.to(1_000);
    const ledger = make();
    ledger.begin('r', time(800), { launched: 1, nodeSeconds: 50 });
    ledger.finish('r', time(950));
    clock.to(1_002);
    ledger.podSeen('r', pod('r', 'n', 910));
    ledger.nodeSeen(node('n', 900));
    clock.to(1_100);
    ledger.nodeGone(node('n', 900));
    expect(finals).toMatchObject([{ launched: 1, nodeSeconds: 200 }]);
  });

  it('a run that ends after a restart gets its record, although its nodes went unseen', () => {
    clock.to(1_000);
    const ledger = make();
    ledger.begin('r', time(800), { launched: 2, nodeSeconds: 50 });
    clock.to(1_200);
    ledger.finish('r', time(1_199));
    clock.to(1_300);
    expect(finals).toMatchObject([{ launched: 2, nodeSeconds: 50, nodes: [] }]);
  });

  it('a node that pods of others had first is nobody’s', async () => {
    const asked: [string, number][] = [];
    const ledger = make({
      othersCameFirst: (machine, before) => {
        asked.push([machine.name, before]);
        return Promise.resolve(machine.name === 'shared');
      },
    });
    ledger.begin('r', time(0));
    clock.to(30);
    for (const name of ['shared', 'own']) {
      ledger.nodeSeen(node(name, 10));
      ledger.podSeen('r', pod('r', name, 20, name));
      ledger.podSeen('r', pod('r', name, 25, `${name}-2`));
    }
    await new Promise(setImmediate);
    expect(asked).toEqual([
      ['shared', Date.parse(time(20))],
      ['own', Date.parse(time(20))],
    ]);
    expect(ledger.figures('r')).toEqual({ launched: 1, nodeSeconds: 20 });
    expect(counted).toEqual(['+own']);
  });

  it('says nothing more once it is stopped', () => {
    const ledger = make();
    ledger.begin('r', time(0));
    ledger.nodeSeen(node('n', 1));
    ledger.podSeen('r', pod('r', 'n', 2));
    ledger.finish('r');
    ledger.stop();
    clock.to(9_000);
    expect(finals).toEqual([]);
  });

  it('says whether the figures of a run that is over are still to come', () => {
    const ledger = make();
    expect(ledger.finish('unknown')).toBe(true);
    ledger.begin('a', time(0));
    expect(ledger.finish('a'), 'they follow').toBe(false);
    expect(ledger.finish('a')).toBe(false);
    clock.to(60);
    expect(finals).toHaveLength(1);
    expect(ledger.finish('a'), 'they are out').toBe(true);
    expect(finals).toHaveLength(1);
  });

  it('forgets what is over: a thousand runs leave only the last minutes behind', () => {
    const ledger = make();
    for (let run = 0; run < 1_000; run++) {
      const second = run * 10;
      clock.to(second);
      ledger.begin(`r${run}`, time(second));
      ledger.nodeSeen(node(`n${run}`, second));
      ledger.podSeen(`r${run}`, pod(`r${run}`, `n${run}`, second + 1));
      ledger.finish(`r${run}`);
      clock.to(second + 5);
      ledger.nodeGone(node(`n${run}`, second));
      ledger.forget(`r${run}`);
    }
    expect(finals).toHaveLength(1_000);
    expect(ledger.size).toBeLessThan(100);
  });
});

describe('pods of others', () => {
  const other = (bound: number, kind?: string) => ({
    metadata: kind === undefined ? {} : { ownerReferences: [{ kind, controller: true }] },
    status: { conditions: [{ type: 'PodScheduled', status: 'True', lastTransitionTime: time(bound) }] },
  });
  const ours = Date.parse(time(20));
  it.each([
    ['bound before ours', [other(10)], true],
    ['the same with an owner', [other(10, 'ReplicaSet')], true],
    ['on every node', [other(10, 'DaemonSet'), other(10, 'Node')], false],
    ['bound later', [other(30)], false],
  ])('count when they were bound before ours, unless they are on every node: %s', (_which, pods, first) => {
    expect(foreignPodBefore(pods, ours, () => false)).toBe(first);
    expect(
      foreignPodBefore(pods, ours, () => true),
      'ours',
    ).toBe(false);
  });
});
