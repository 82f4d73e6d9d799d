/** What users do to a run, and what the world does to it, played through against the loopback API server. */
import { afterEach, describe, expect, test } from 'vitest';
import type { PipelineRunSpec } from '../../operator/api/pipelinerun.ts';
import { isTerminal } from '../../operator/api/status.ts';
import type { AttemptRef } from '../../operator/results/types.ts';
import type { WorkerManifest } from '../../workers/contract/manifests.ts';
import type { Life } from '../support/simulation/operator.ts';
import { Scenario, type ScenarioOptions } from '../support/simulation/scenario.ts';

const container = { image: 'busybox:1', command: ['true'] };
const oneStage: PipelineRunSpec = { stages: [{ name: 'work', container }] };
const chain: PipelineRunSpec = {
  stages: [
    { name: 'first', container },
    { name: 'second', dependsOn: ['first'], container },
    { name: 'beside', container },
  ],
};

let scenario: Scenario;
let life: Life;

async function begin(options: ScenarioOptions): Promise<void> {
  scenario = new Scenario(options);
  await scenario.start();
  life = scenario.live();
}

afterEach(async () => {
  await life.stop();
  await scenario.stop();
});

const stage = (name: string) => scenario.status.stages?.find((candidate) => candidate.name === name);
const condition = (type: string) => scenario.status.conditions?.find((candidate) => candidate.type === type);
const isRunning = (name: string) => (): boolean =>
  stage(name)?.state === 'Running' ||
  stage(name)?.state === 'Starting' ||
  stage(name)?.state === 'Provisioning';

/** What a worker leaves in the store when it has done its part. */
function wordOf(ref: AttemptRef): WorkerManifest {
  return {
    kind: 'worker',
    version: 1,
    run: { uid: ref.runUID, name: ref.run, namespace: ref.namespace },
    stage: ref.stage,
    index: ref.index,
    attempt: ref.attempt,
    podUID: ref.podUID,
    podName: ref.podName,
    startTime: '2026-01-01T00:00:00Z',
    endTime: '2026-01-01T00:00:01Z',
    exit: { code: 0, started: true },
  };
}

describe('stages', () => {
  test('a failed stage skips what depends on it and leaves the others alone', async () => {
    await begin({ spec: chain, script: (pod) => ({ exitCode: pod.stage === 'first' ? 7 : 0 }) });
    await scenario.turn(life);
    expect(stage('first')).toMatchObject({ state: 'Failed', reason: 'Error' });
    expect(stage('first')?.message).toContain('exit code 7');
    expect(stage('second')).toMatchObject({ state: 'Skipped', reason: 'DependencyFailed' });
    expect(stage('beside')).toMatchObject({ state: 'Succeeded' });
    expect(condition('Succeeded')).toMatchObject({ status: 'False', reason: 'StageFailed' });
  });

  test('the message that our own container left explains the failure', async () => {
    const message = JSON.stringify({
      reason: 'PlanRefused',
      message: 'a and b both become c: change rename[0]',
    });
    const copy = { source: { bucket: 'raw' }, destination: { bucket: 'lake' } };
    const spec = {
      stores: [{ name: 'lake', endpoint: 'http://127.0.0.1:1' }],
      stages: [{ name: 'arrange', retry: { failures: 0 }, copy }],
    };
    await begin({ spec, script: () => ({ exitCode: 10, message }) });
    await scenario.turn(life);
    expect(stage('arrange')).toMatchObject({
      state: 'Failed',
      reason: 'PlanRefused',
      message: 'a and b both become c: change rename[0]',
    });
    expect(life.events.join()).toContain('PlanRefused');
  });

  test.each([
    ['too many failed objects are final: nothing would come of copying them again', 11, 'CopyFailed', 1],
    [
      'a store that cannot be reached is tried again, as often as retry.failures says',
      12,
      'StoreUnavailable',
      3,
    ],
  ])('%s', async (_, exitCode, reason, pods) => {
    const copy = { source: { bucket: 'raw' }, destination: { bucket: 'lake' } };
    const spec = {
      stores: [{ name: 'lake', endpoint: 'http://127.0.0.1:1' }],
      stages: [{ name: 'arrange', retry: { failures: 2 }, copy }],
    };
    const message = JSON.stringify({ reason, message: 'the worker says why' });
    const seen = new Set<string>();
    await begin({
      spec,
      script: ({ uid }) => {
        seen.add(uid);
        return { exitCode, message };
      },
    });
    await scenario.turn(life);
    expect(stage('arrange')).toMatchObject({ state: 'Failed', reason, attempt: 1 });
    expect(stage('arrange')?.message).toContain('the worker says why');
    expect(seen.size).toBe(pods);
  });

  test('what a copy could not do is known even when nobody was there to be told', async () => {
    const copy = { source: { bucket: 'raw' }, destination: { bucket: 'lake' } };
    const spec = {
      stores: [{ name: 'lake', endpoint: 'http://127.0.0.1:1' }],
      stages: [{ name: 'arrange', copy: { ...copy, maxFailures: 5 } }],
    };
    await begin({ spec, script: () => ({ exitCode: 0 }) });
    scenario.records.lastWord = (attempt) => ({
      ...wordOf(attempt),
      copy: { planned: 9, copied: 7, renamed: 7, skipped: 0, unchanged: 0, moved: 0, failed: 2, bytes: 70 },
    });
    await scenario.turn(life);
    expect(stage('arrange')).toMatchObject({ state: 'Succeeded', reason: 'CopiedWithFailures' });
    expect(scenario.status.outcome).toMatchObject({ result: 'Succeeded', reason: 'CopiedWithFailures' });
  });

  test('a worker that had done its part when it was lost is not begun again', async () => {
    await begin({ spec: oneStage, script: () => ({ exitCode: 137 }) });
    scenario.records.lastWord = wordOf;
    await scenario.turn(life);
    expect(stage('work')).toMatchObject({ state: 'Succeeded', attempt: 1 });
    expect(scenario.simulation.created).toHaveLength(1);
  });

  test('a stage that runs too long is ended', async () => {
    await begin({ spec: { ...oneStage, activeDeadlineSeconds: 100 }, script: () => 'hang' });
    await scenario.turn(
      life,
      () => scenario.api.world.list('/api/v1/pods').length === 1 && isRunning('work')(),
    );
    await scenario.turn(
      life,
      () =>
        stage('work')?.state === 'Running' ||
        scenario.api.world.list('/api/v1/pods').some((pod) => JSON.stringify(pod).includes('startedAt')),
    );
    scenario.advance(101);
    life.controller.facts.progressed(
      { namespace: 'data', run: 'nightly', runUID: 'x', stage: 'work', index: 0, podUID: 'y' },
      { done: 0, total: 0, unit: '' },
    );
    await scenario.turn(life);
    expect(stage('work')).toMatchObject({ state: 'Failed', reason: 'DeadlineExceeded' });
    expect(scenario.left).toEqual([]);
  });
});

describe('cancel', () => {
  test('ends what runs, skips the rest, and is final', async () => {
    await begin({ spec: chain, script: () => 'hang' });
    await scenario.turn(life, isRunning('first'));
    scenario.patchSpec({ cancel: true });
    await scenario.turn(life);
    expect(stage('first')).toMatchObject({ state: 'Canceled', reason: 'RunCanceled' });
    expect(stage('second')).toMatchObject({ state: 'Skipped', reason: 'RunCanceled' });
    expect(condition('Succeeded')).toMatchObject({ status: 'False', reason: 'Canceled' });
    expect(scenario.left).toEqual([]);
  });
});

describe('suspend', () => {
  test('ends the pods, keeps the Jobs, counts no retry, and goes on afterwards', async () => {
    let hang = true;
    await begin({ spec: oneStage, script: () => (hang ? 'hang' : { exitCode: 0 }) });
    await scenario.turn(life, isRunning('work'));
    scenario.patchSpec({ suspend: true });
    await scenario.turn(
      life,
      () => stage('work')?.reason === 'Suspended' && scenario.api.world.list('/api/v1/pods').length === 0,
    );
    expect(condition('Succeeded')).toMatchObject({ status: 'Unknown', reason: 'Suspended' });
    hang = false;
    scenario.patchSpec({ suspend: false });
    await scenario.turn(life);
    expect(stage('work')).toMatchObject({ state: 'Succeeded', attempt: 1 });
    expect(stage('work')?.failures ?? 0).toBe(0);
    expect(scenario.simulation.created).toHaveLength(1);
  });

  test('a run that is suspended from the start creates nothing', async () => {
    await begin({ spec: { ...oneStage, suspend: true }, script: () => ({ exitCode: 0 }) });
    await scenario.turn(life, () => condition('Succeeded')?.reason === 'Suspended');
    expect(scenario.left).toEqual([]);
    scenario.patchSpec({ cancel: true });
    await scenario.turn(life);
    expect(scenario.status.outcome?.result).toBe('Canceled');
    expect(scenario.simulation.created).toEqual([]);
  });
});

describe('deletion', () => {
  test('of a running run cancels it, stores its record, and leaves nothing', async () => {
    await begin({ spec: oneStage, script: () => 'hang' });
    await scenario.turn(life, isRunning('work'));
    scenario.delete();
    await scenario.turn(life, () => !scenario.exists);
    expect(scenario.left).toEqual([]);
    expect([...scenario.records.byUID.values()].map((record) => record.outcome.result)).toEqual(['Canceled']);
  });

  test('does not wait for a store that hangs', async () => {
    await begin({ spec: oneStage, script: () => ({ exitCode: 0 }) });
    scenario.records.hanging = true;
    await scenario.turn(life, () => scenario.records.hangs === 1);
    scenario.delete();
    await scenario.turn(life, () => !scenario.exists);
    expect(scenario.left).toEqual([]);
    expect([...scenario.records.byUID.values()].map((record) => record.outcome.result)).toEqual([
      'Succeeded',
    ]);
  });

  test('of a finished run changes nothing about its outcome', async () => {
    await begin({ spec: oneStage, script: () => ({ exitCode: 0 }) });
    await scenario.turn(life);
    scenario.delete();
    await scenario.turn(life, () => !scenario.exists);
    expect([...scenario.records.byUID.values()].map((record) => record.outcome.result)).toEqual([
      'Succeeded',
    ]);
  });
});

describe('the results store', () => {
  test('that refuses holds the terminal condition back, until commitTimeoutSeconds', async () => {
    await begin({ spec: oneStage, script: () => ({ exitCode: 0 }), commitTimeoutSeconds: 300 });
    scenario.records.refusing = true;
    await scenario.turn(life, () => condition('LogsStored')?.reason === 'ResultsNotStored');
    expect(condition('Succeeded')).toMatchObject({ status: 'Unknown', reason: 'Committing' });
    expect(scenario.left.length, 'compute stays until the record is stored').toBeGreaterThan(0);
    scenario.advance(301);
    await scenario.turn(life, () => scenario.left.length === 0);
    expect(condition('Succeeded')).toMatchObject({ status: 'True' });
    expect(condition('LogsStored')).toMatchObject({ status: 'False', reason: 'ResultsNotStored' });
  });

  test('may take long over the records of many runs: others start and end meanwhile', async () => {
    await begin({ spec: oneStage, script: () => ({ exitCode: 0 }), name: 'slow-0' });
    const slow = Array.from({ length: 6 }, (_, n) => `slow-${n}`);
    for (const name of slow) scenario.records.slow.add(name);
    for (const name of slow.slice(1)) scenario.apply(name);
    await scenario.turn(life, () => scenario.records.committing.size === slow.length);
    scenario.apply('quick');
    await scenario.turn(life, () =>
      [...scenario.records.byUID.values()].some((record) => record.run.name === 'quick'),
    );
    // What is slow is still asked for once at a time, and a deletion ends it at once.
    scenario.records.slow.clear();
    scenario.delete();
    await scenario.turn(life, () => !scenario.exists);
    expect(scenario.records.overlapped).toBe(false);
    expect(scenario.records.committing.size).toBe(slow.length - 1);
  });

  test.each([
    ['before it began', undefined],
    [
      'while it ran',
      { startTime: '2026-01-01T00:00:00Z', stages: [{ name: 'work', state: 'Running', attempt: 1 }] },
    ],
  ])(
    'with a record of the run keeps one from running again whose object is restored as it was %s',
    async (_when, status) => {
      await begin({ spec: oneStage, script: () => ({ exitCode: 0 }) });
      await scenario.turn(life);
      await life.stop();
      scenario.edit((run) => ({ status, metadata: { ...Object(run['metadata']), finalizers: [] } }));
      life = scenario.live();
      await scenario.turn(life);
      expect(scenario.simulation.created).toHaveLength(1);
      expect(condition('Succeeded')).toMatchObject({ status: 'True' });
      expect(stage('work')).toMatchObject({ state: 'Succeeded' });
      expect(scenario.records.contradictions).toEqual([]);
    },
  );

  test('that does not say whether a run has ended before is not waited for', async () => {
    await begin({ spec: oneStage, script: () => ({ exitCode: 0 }) });
    scenario.records.mute = true;
    await scenario.turn(life);
    expect(condition('Succeeded')).toMatchObject({ status: 'True' });
    expect(scenario.records.asked).toBe(1);
  });
});

describe('a spec that cannot be run', () => {
  test('is refused with a sentence that says what to change, and creates nothing', async () => {
    const copy = {
      source: { bucket: 'raw' },
      destination: { bucket: 'lake' },
      rename: [{ match: '(a)\\1', replace: 'x' }],
    };
    const spec = {
      stores: [{ name: 'lake', endpoint: 'http://127.0.0.1:1' }],
      stages: [{ name: 'arrange', copy }],
    };
    await begin({ spec, script: () => ({ exitCode: 0 }) });
    await scenario.turn(life);
    expect(condition('Succeeded')).toMatchObject({ status: 'False', reason: 'InvalidSpec' });
    expect(condition('Succeeded')?.message).toContain('rename[0].match');
    expect(scenario.simulation.created).toEqual([]);
    expect(scenario.status.stages?.every(({ state }) => isTerminal(state))).toBe(true);
  });
});
