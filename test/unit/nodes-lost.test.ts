import { describe, expect, it } from 'vitest';
import { type NodeLossInput, nodeLossTime } from '../../operator/nodes/lost.ts';

const at = (second: number): string => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
const now = (second: number): Date => new Date(at(second));

const pod = (phase = 'Running', bound = 0) => ({
  spec: { nodeName: 'n' },
  status: { phase, conditions: [{ type: 'PodScheduled', status: 'True', lastTransitionTime: at(bound) }] },
});
const node = (ready: string, since: number) => ({
  status: { conditions: [{ type: 'Ready', status: ready, lastTransitionTime: at(since) }] },
});
const isNodeLost = (input: NodeLossInput, time: Date): boolean =>
  (nodeLossTime(input) ?? Infinity) <= time.getTime();
const rest = { nodeLostSeconds: 60, nodesSynced: true };

describe('a lost node', () => {
  it.each(['False', 'Unknown'])('is one whose Ready has been %s for nodeLostSeconds', (ready) => {
    const input = { node: node(ready, 100), pod: pod(), ...rest };
    expect(isNodeLost(input, now(159))).toBe(false);
    expect(nodeLossTime(input)).toBe(Date.parse(at(160)));
    expect(isNodeLost(input, now(160))).toBe(true);
  });

  it('is not one that is ready, or has not reported yet', () => {
    expect(isNodeLost({ node: node('True', 0), pod: pod(), ...rest }, now(9_999))).toBe(false);
    expect(isNodeLost({ node: {}, pod: pod(), ...rest }, now(9_999))).toBe(false);
  });

  it('is none to a pod that was bound later: what is known of the node is older than the pod', () => {
    const input = { node: node('False', 0), pod: pod('Pending', 100), ...rest };
    expect(isNodeLost(input, now(101))).toBe(false);
    expect(nodeLossTime(input)).toBe(Date.parse(at(160)));
  });

  it('is one that is gone, but not while the pod is so new that its Node may not have been seen', () => {
    const input = { node: undefined, pod: pod('Running', 100), ...rest };
    expect(isNodeLost(input, now(130))).toBe(false);
    expect(isNodeLost(input, now(160))).toBe(true);
  });

  it('is never concluded from a cache that is not complete', () => {
    const input = { node: undefined, pod: pod(), ...rest, nodesSynced: false };
    expect(nodeLossTime(input)).toBeUndefined();
    expect(isNodeLost(input, now(9_999))).toBe(false);
  });

  it('takes nothing from a pod that has ended or never had a node', () => {
    for (const phase of ['Succeeded', 'Failed'])
      expect(isNodeLost({ node: undefined, pod: pod(phase), ...rest }, now(9_999))).toBe(false);
    expect(isNodeLost({ node: undefined, pod: { status: { phase: 'Pending' } }, ...rest }, now(9_999))).toBe(
      false,
    );
  });
});
