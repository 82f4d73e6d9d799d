/** How many writes the states of a run cost, and how long somebody who looks may be told an old one. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { PipelineRunStatus, StageState } from '../../operator/api/status.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { createKubeClient } from '../../operator/kube/http-client.ts';
import { StatusWriter, type Written } from '../../operator/pipelinerun/write.ts';
import { ManualClock } from '../support/fakeapi/manual-clock.ts';
import { FakeApi } from '../support/fakeapi/server.ts';
import { runOf } from '../support/plan/observed.ts';

let api: FakeApi;
let client: KubeClient;
let clock: ManualClock;
let writer: StatusWriter;
/** What the API server has. */
let stored: PipelineRunStatus | undefined;

beforeEach(async () => {
  api = new FakeApi();
  await api.start();
  client = createKubeClient({ access: api.access, userAgent: 'test/0' });
  clock = new ManualClock();
  writer = new StatusWriter(client, clock);
  stored = undefined;
});

afterEach(async () => {
  await client.close();
  await api.stop();
});

async function write(state: StageState, done = 0): Promise<Written> {
  const progress = { done, total: 9, unit: 'objects' };
  const next = { startTime: 'then', stages: [{ name: 'work', state, progress }] };
  const run = runOf({ stages: [] }, stored);
  const path = `/apis/ebbflow.dev/v1alpha1/namespaces/data/pipelineruns/${run.metadata.name}`;
  const { metadata } = api.world.put(path, { metadata: { name: run.metadata.name, namespace: 'data' } });
  const result = await writer.write(run, next, metadata.resourceVersion ?? '', AbortSignal.timeout(120_000));
  if (result.written) stored = next;
  return result;
}

test('open states that pass within a second share one write', async () => {
  expect(await write('Provisioning')).toEqual({ written: false, inMs: 1_000 });
  await clock.advance(400);
  expect(await write('Starting')).toEqual({ written: false, inMs: 600 });
  await clock.advance(600);
  expect(await write('Running')).toMatchObject({ written: true });
  await clock.advance(5_000);
  expect(await write('Finalizing')).toEqual({ written: false, inMs: 1_000 });
  await clock.advance(300);
  expect(await write('Succeeded')).toMatchObject({ written: true });
  expect(api.count(({ method }) => method === 'PATCH')).toBe(2);
});

test('a state that has passed does not shorten the second of the next one', async () => {
  await write('Succeeded');
  stored = { startTime: 'then', stages: [{ name: 'work', state: 'Running' }] };
  await write('Finalizing');
  await clock.advance(900);
  expect(await write('Running', 1)).toMatchObject({ written: false });
  await clock.advance(900);
  expect(await write('Finalizing', 1)).toEqual({ written: false, inMs: 1_000 });
});

test('progress alone is written every 30 seconds', async () => {
  await write('Succeeded');
  stored = { startTime: 'then', stages: [{ name: 'work', state: 'Running' }] };
  await clock.advance(29_000);
  expect(await write('Running', 1)).toEqual({ written: false, inMs: 1_000 });
  await clock.advance(1_000);
  expect(await write('Running', 1)).toMatchObject({ written: true });
});
