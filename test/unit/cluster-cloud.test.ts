import { describe, expect, it } from 'vitest';
import { addressesOf, hostAddresses, maximumClusters } from '../cluster/addresses.ts';
import { decide } from '../cluster/cloud.ts';
import { parseServiceName } from '../cluster/dns.ts';
import { codes, readQuestion, writeAnswer } from '../cluster/dnsmessage.ts';
import { isNewEnough } from '../cluster/go.ts';
import { instanceTypes } from '../cluster/karpenter.ts';
import type { CloudNode } from '../cluster/nodewatch.ts';

const node = (name: string, isDeleted = false): CloudNode => ({ name, instanceType: 'ebb-1x', isDeleted });
const nodes = (...list: CloudNode[]) => new Map(list.map((entry) => [entry.name, entry]));
const machine = (name: string, deadForMs?: number) => ({ name, deadForMs });

describe('what the cloud does next', () => {
  it.each([
    ['boots a machine for a new Node', nodes(node('a')), [], [], [{ kind: 'boot', node: node('a') }]],
    ['boots it once', nodes(node('a')), [], ['a'], []],
    ['boots nothing for a Node that is being deleted', nodes(node('a', true)), [], [], []],
    ['leaves a healthy machine alone', nodes(node('a')), [machine('a')], ['a'], []],
    ['keeps the machine while its Node is being drained', nodes(node('a', true)), [machine('a')], ['a'], []],
    [
      'tears a machine down when its Node is gone',
      nodes(),
      [machine('a')],
      ['a'],
      [{ kind: 'tearDown', name: 'a' }],
    ],
    ['waits for a kubelet that is dead', nodes(node('a')), [machine('a', 59_999)], ['a'], []],
    [
      'takes a machine away that is dead for good',
      nodes(node('a')),
      [machine('a', 60_000)],
      ['a'],
      [{ kind: 'takeAway', name: 'a' }],
    ],
    [
      'tears a dead machine down when its Node is gone',
      nodes(),
      [machine('a', 99_999)],
      ['a'],
      [{ kind: 'tearDown', name: 'a' }],
    ],
  ])('%s', (_, present, machines, known, actions) => {
    expect(decide(present, machines, new Set(known), 60_000)).toEqual(actions);
  });
});

describe('addresses', () => {
  it('of two clusters never meet', () => {
    const all = Array.from({ length: maximumClusters }, (_, id) => [
      ...Object.values(addressesOf(id)),
      ...Object.values(hostAddresses(id, 250)),
    ]).flat();
    expect(new Set(all).size).toBe(all.length);
  });

  it('fit into the 15 characters of an interface name', () => {
    const { cable } = hostAddresses(maximumClusters - 1, 250);
    expect(cable.length).toBeLessThanOrEqual(15);
  });
});

describe('instance types', () => {
  it('never promise more than the machine has', () => {
    const gibibyte = 2 ** 30;
    const types = instanceTypes({ cpu: 2000, memory: 6 * gibibyte });
    expect(types.map(({ name, capacity }) => [name, capacity.cpu, capacity.memory / gibibyte])).toEqual([
      ['ebb-1x', 1000, 4],
      ['ebb-2x', 2000, 6],
    ]);
  });
});

describe('the Go on this machine', () => {
  it.each([
    ['go version go1.26.6 linux/amd64', true],
    ['go version go1.27 linux/amd64', true],
    ['go version go2.0.1 linux/amd64', true],
    ['go version go1.26.5 linux/amd64', false],
    ['go version go1.19.8 linux/amd64', false],
    ['no such thing', false],
  ])('is new enough? %s: %s', (words, verdict) => {
    expect(isNewEnough(words)).toBe(verdict);
  });
});

describe('the name server', () => {
  const header = Buffer.from('abcd01000001000000000000', 'hex');
  const query = Buffer.concat([
    header,
    Buffer.from('\x07Ebbflow\x06system\x03svc\x00\x00\x01\x00\x01', 'latin1'),
  ]);

  it('reads a question whatever its case', () => {
    expect(readQuestion(query)).toEqual({ name: 'ebbflow.system.svc', type: 1 });
  });

  it('takes no answer, and nothing cut short, for a question', () => {
    const answer = Buffer.from(query);
    answer.writeUInt16BE(0x8180, 2);
    expect(readQuestion(answer)).toBeUndefined();
    for (let size = 0; size < query.length - 4; size++)
      expect(readQuestion(query.subarray(0, size))).toBeUndefined();
  });

  it('answers with the question and the addresses', () => {
    const answer = writeAnswer(query, codes.found, ['10.198.0.7']);
    expect(answer.subarray(0, 2)).toEqual(query.subarray(0, 2));
    expect(answer.readUInt16BE(6)).toBe(1);
    expect(answer.subarray(-4)).toEqual(Buffer.from([10, 198, 0, 7]));
    expect(writeAnswer(query, codes.noSuchName).readUInt16BE(2) & 15).toBe(3);
  });

  it.each([
    ['ebbflow.system.svc.cluster.local', { service: 'ebbflow', namespace: 'system' }],
    ['rank-0.gang.jobs.svc.cluster.local', { pod: 'rank-0', service: 'gang', namespace: 'jobs' }],
    ['example.com', undefined],
    ['a.b.c.d.svc.cluster.local', undefined],
    ['ebbflow.system.svc', undefined],
  ])('looks %s up as %o', (name, parts) => {
    expect(parseServiceName(name)).toEqual(parts);
  });
});
