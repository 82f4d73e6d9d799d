/** What counts as a change of status, and how urgent it is. */
import { expect, test } from 'vitest';
import type { PipelineRunStatus } from '../../operator/api/status.ts';
import { difference } from '../../operator/pipelinerun/status.ts';

const stage = { name: 'work', state: 'Running' as const, reason: 'Working' };
const status: PipelineRunStatus = {
  startTime: '2026-01-01T00:00:00Z',
  nodes: { launched: 1, nodeSeconds: 60 },
  stages: [stage],
};

test.each<[string, PipelineRunStatus, string]>([
  ['nothing', { ...status }, 'none'],
  ['a node that goes on running', { ...status, nodes: { launched: 1, nodeSeconds: 90 } }, 'figures'],
  ['another node', { ...status, nodes: { launched: 2, nodeSeconds: 60 } }, 'progress'],
  [
    'progress',
    { ...status, stages: [{ ...stage, progress: { done: 1, total: 2, unit: 'objects' } }] },
    'progress',
  ],
  ['another open state', { ...status, stages: [{ ...stage, state: 'Finalizing' }] }, 'soft'],
  [
    'a dead node, which nothing else remembers',
    { ...status, stages: [{ ...stage, reason: 'NodeLost' }] },
    'hard',
  ],
  ['an end', { ...status, stages: [{ ...stage, state: 'Succeeded' }] }, 'hard'],
  ['an admission', { ...status, stages: [{ ...stage, admitted: 'pod' }] }, 'hard'],
])('%s', (_what, next, kind) => {
  expect(difference(status, next)).toBe(kind);
});

const begun: PipelineRunStatus = {
  ...status,
  stages: [
    { ...stage, attempt: 1 },
    { name: 'next', state: 'Waiting' },
  ],
};
test.each<[string, PipelineRunStatus, string]>([
  ['waits for what its first Jobs do', begun, 'soft'],
  ['says a retry at once', { ...begun, stages: [{ ...stage, attempt: 2 }] }, 'hard'],
  ['says an end at once', { ...begun, stages: [{ ...stage, state: 'Failed' }] }, 'hard'],
  [
    'says an outcome at once',
    { ...begun, outcome: { result: 'Failed', reason: 'InvalidSpec', time: '' } },
    'hard',
  ],
])('the first status %s', (_what, next, kind) => {
  expect(difference(undefined, next)).toBe(kind);
});
