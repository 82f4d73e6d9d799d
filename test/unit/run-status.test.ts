/** What counts as a change of status, and how urgent it is. */
import { expect, test } from 'vitest';
import { MAX_DOING_BYTES, type PipelineRunStatus } from '../../operator/api/status.ts';
import { difference, summarize } from '../../operator/pipelinerun/status.ts';

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

test('kubectl get shows how many stages have succeeded, not how many have ended, in a line that does not wrap', () => {
  const copy = { source: { bucket: 'raw' }, destination: { bucket: 'lake' } };
  const spec = { stages: ['a', 'b', 'c'].map((name) => ({ name, copy })) };
  const message = `${'many words '.repeat(15)}and the last`;
  const summary = summarize(spec, [
    { name: 'a', state: 'Succeeded' },
    { name: 'b', state: 'Failed', message },
    { name: 'c', state: 'Skipped' },
  ]);
  expect(summary?.stages).toBe('1/3');
  expect(summary?.doing).toMatch(/^b failed: many words .*…$/);
  expect(Buffer.byteLength(summary?.doing ?? '')).toBeLessThanOrEqual(MAX_DOING_BYTES);
  expect(summary?.message).toBe(`b failed: ${message}`);
});

test('a message that changes as progress does is written no sooner', () => {
  const summary = { stages: '0/1', doing: '1 %', message: '1 % of all' };
  const next = { stages: '0/1', doing: '2 %', message: '2 % of all' };
  expect(difference({ ...status, summary }, { ...status, summary: next })).toBe('progress');
});
