import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PipelineRunStatus } from '../../operator/api/status.ts';
import { arrange, run, train } from '../support/examples/example.ts';
import { MERGE_PATCH, PipelineRunServer, testKubeconfig } from '../support/examples/server.ts';

let server: PipelineRunServer;
beforeAll(async () => {
  server = await PipelineRunServer.open(`crd-serving-${process.pid}`);
  const created = await server.create({ ...run(arrange, train), pipeline: 'digits' }, 'nightly');
  if (created.status !== 201) throw new Error(created.message);
});
afterAll(async () => server.close());

async function kubectl(...args: string[]): Promise<string> {
  const env = { ...process.env, KUBECONFIG: testKubeconfig() };
  const { stdout } = await promisify(execFile)('kubectl', args, { env, timeout: 120_000 });
  return stdout;
}

const time = '2026-01-02T03:04:05Z';

/** Every field of status, each with the longest or largest value that it may have where that matters. */
const status = {
  observedGeneration: 1,
  startTime: time,
  completionTime: time,
  outcome: { result: 'Failed', reason: 'StageFailed', time, message: 'stage arrange failed' },
  conditions: [
    {
      type: 'Succeeded',
      status: 'Unknown',
      reason: 'Running',
      message: 'm'.repeat(1024),
      lastTransitionTime: time,
      observedGeneration: 1,
    },
    { type: 'LogsStored', status: 'Unknown', reason: 'Capturing', message: '', lastTransitionTime: time },
  ],
  stages: [
    {
      name: 'arrange',
      state: 'Running',
      reason: 'Working',
      message: 'copying',
      attempt: 2,
      failures: 1,
      disruptions: 0,
      activeSeconds: 3,
      admitted: '7f1c2a34-0b7e-4a3e-9d55-0123456789ab',
      workers: { wanted: 4, active: 3, succeeded: 1, failed: 0 },
      progress: { done: 1.5, total: 2 ** 40, unit: 'objects' },
      logs: 'PodsLog',
      startTime: time,
      completionTime: time,
    },
    { name: 'train', state: 'Waiting' },
  ],
  summary: {
    stages: '0/2',
    doing: 'arrange: copying, 3 of 1,797 objects',
    message: 'arrange: copying, 3 of 1,797 objects, and train waits for it',
  },
  nodes: { launched: 1, nodeSeconds: 90 },
  results: { uid: '7f1c2a34-0b7e-4a3e-9d55-0123456789ab', location: 's3://results/runs' },
} satisfies PipelineRunStatus;

test('every field of status is kept as it was written, and spec cannot be changed through it', async () => {
  const path = `${server.path('nightly')}/status?fieldValidation=Strict`;
  const answer = await server.send('PATCH', path, { status, spec: { suspend: true } }, MERGE_PATCH);
  expect(answer.message).toBe('');
  expect(answer.body['status']).toEqual(status);
  expect(answer.body['spec']).not.toHaveProperty('suspend');
});

test('status cannot be written through the object itself', async () => {
  const answer = await server.send(
    'PATCH',
    server.path('nightly'),
    { status: { observedGeneration: 99 } },
    MERGE_PATCH,
  );
  expect(answer.status).toBe(200);
  expect(answer.body['status']).not.toMatchObject({ observedGeneration: 99 });
});

test.each([
  ['a state that does not exist', { stages: [{ name: 'arrange', state: 'Sleeping' }] }],
  ['a time that is none', { startTime: 'yesterday' }],
  ['two conditions of one type', { conditions: [status.conditions[0], status.conditions[0]] }],
])('status with %s is refused', async (_, wrong) => {
  const answer = await server.send(
    'PATCH',
    `${server.path('nightly')}/status`,
    { status: wrong },
    MERGE_PATCH,
  );
  expect(answer.status).toBe(422);
});

test('kubectl get ebb shows what the run does', async () => {
  const [head = '', row = ''] = (await kubectl('get', 'ebb', '-n', server.namespace)).split('\n');
  expect(head.split(/\s{2,}/)).toEqual(['NAME', 'SUCCEEDED', 'REASON', 'STAGES', 'DOING', 'AGE']);
  expect(row.split(/\s{2,}/).slice(0, 5)).toEqual([
    'nightly',
    'Unknown',
    'Running',
    '0/2',
    'arrange: copying, 3 of 1,797 objects',
  ]);
});

test('more columns with -o wide, and runs of one pipeline by a field selector', async () => {
  const wide = await kubectl('get', 'ebb', '-n', server.namespace, '-o', 'wide');
  expect(
    wide
      .split('\n')[0]
      ?.split(/\s{2,}/)
      .slice(-3),
  ).toEqual(['MESSAGE', 'START', 'COMPLETED']);
  expect(wide).toContain(status.summary.message);
  const names = async (selector: string) =>
    kubectl('get', 'ebb', '-n', server.namespace, '-o', 'name', '--field-selector', selector);
  expect(await names('spec.pipeline=digits')).toBe('pipelinerun.ebbflow.dev/nightly\n');
  expect(await names('spec.pipeline=letters')).toBe('');
});

test('the category lists runs', async () => {
  expect(await kubectl('get', 'ebbflow', '-n', server.namespace, '-o', 'name')).toContain('nightly');
});

test('kubectl explain reads well', async () => {
  const text = await kubectl('explain', 'pipelineruns.ebbflow.dev.spec.stages');
  expect(text).toContain('exactly one of copy, train and container');
  expect(text).toMatch(/workers\s+<integer>\s+Number of workers/);
  expect(text).not.toContain('<no description>');
  const deep = await kubectl('explain', '--recursive', 'pipelineruns.ebbflow.dev.spec');
  expect(deep).not.toContain('<no description>');
});
