import { describe, expect, test } from 'vitest';
import type { KubeClient } from '../../operator/kube/client.ts';
import {
  describeChanges,
  drawBar,
  estimateSeconds,
  formatSeconds,
  type LiveView,
  renderLive,
} from '../demo/live.ts';
import { jobOf, podOf, running as runningSince } from '../support/plan/observed.ts';
import { LogTaps, plainWords, readProgress, splitStamp } from '../demo/logtaps.ts';

const t0 = Date.parse('2026-03-01T10:00:00Z');
const at = (seconds: number): number => t0 + seconds * 1000;
const time = (seconds: number): string => new Date(at(seconds)).toISOString();

const empty: LiveView = {
  name: 'nightly',
  appliedAt: t0,
  doing: '',
  stages: [],
  progress: new Map(),
  lastLines: new Map(),
  nodes: [],
  jobs: 0,
  pods: 0,
  conditions: new Map(),
};

const running: LiveView = {
  ...empty,
  doing: 'train running',
  stages: [
    {
      name: 'arrange',
      state: 'Succeeded',
      message: '1797 objects copied, 1797 renamed',
      progress: { done: 1797, total: 1797, unit: 'objects' },
      startTime: time(0),
      completionTime: time(20),
    },
    { name: 'train', state: 'Running', startTime: time(20) },
  ],
  progress: new Map([['train', { done: 10, total: 40, unit: 'epochs' }]]),
  lastLines: new Map([['train', 'epoch 10/40 loss 0.1']]),
  nodes: [{ name: 'w-1', instanceType: 'ebb-1x', createdAt: at(2), readyAt: at(5) }],
  jobs: 1,
  pods: 1,
};

describe('bars and times', () => {
  test.each([
    [0, 10, '[....]'],
    [5, 10, '[##..]'],
    [999, 1000, '[###.]'],
    [10, 10, '[####]'],
    [12, 10, '[####]'],
    [0, 0, '[....]'],
  ])('%i of %i is %s', (done, total, bar) => {
    expect(drawBar({ done, total, unit: 'x' }, 4)).toBe(bar);
  });

  test.each([
    [0.04, '0.0 s'],
    [8.44, '8.4 s'],
    [47.4, '47 s'],
    [119.7, '2 min 0 s'],
    [200, '3 min 20 s'],
  ])('%d seconds read as %s', (seconds, words) => {
    expect(formatSeconds(seconds)).toBe(words);
  });

  test('the rest is estimated from the pace so far, and not at all before there is one', () => {
    expect(estimateSeconds({ done: 10, total: 40, unit: 'epochs' }, at(20), at(30))).toBeCloseTo(30);
    expect(estimateSeconds({ done: 0, total: 40, unit: 'epochs' }, at(20), at(30))).toBeUndefined();
    expect(estimateSeconds({ done: 40, total: 40, unit: 'epochs' }, at(20), at(30))).toBeUndefined();
  });
});

describe('the live view', () => {
  test('shows stages with bars and what is left, and nodes', () => {
    expect(renderLive(running, at(30), 100)).toEqual([
      'PipelineRun nightly  30 s  train running',
      '',
      '  arrange  Succeeded           20 s  [########################] 1797/1797 objects',
      '           1797 objects copied, 1797 renamed',
      '  train    Running             10 s  [######..................] 10/40 epochs  about 30 s left',
      '           epoch 10/40 loss 0.1',
      '',
      '  worker nodes 1   Jobs 1   pods 1',
      '    w-1  ebb-1x  ready     28 s',
    ]);
  });

  test('estimates from when counting began, not from when the stage began to wait', () => {
    const progress = new Map([['train', { done: 11, total: 41, unit: 'epochs', since: at(28), first: 1 }]]);
    expect(renderLive({ ...running, progress }, at(30), 100).join()).toContain(
      '11/41 epochs  about 6.0 s left',
    );
  });

  test('never writes more than the width, which would break the redrawing', () => {
    expect(renderLive(running, at(30), 40).every((line) => line.length <= 40)).toBe(true);
  });

  test('without a terminal says each change once', () => {
    const gone: LiveView = {
      ...running,
      nodes: running.nodes.map((node) => ({ ...node, goneAt: at(60) })),
      conditions: new Map([['Succeeded', { status: 'True', reason: 'Completed' }]]),
    };
    expect(describeChanges(undefined, running)).toEqual([
      'stage arrange: Succeeded, 1797 objects copied, 1797 renamed',
      'stage arrange: 1797/1797 objects',
      'stage train: Running',
      'stage train: 10/40 epochs',
      'node w-1 (ebb-1x) was created',
      'node w-1 is ready',
    ]);
    expect(describeChanges(running, running)).toEqual([]);
    expect(describeChanges(running, gone)).toEqual(['node w-1 is gone', 'Succeeded is True: Completed']);
  });
});

test('what is counted anew is told anew: epochs after fetched files', () => {
  const [, train] = running.stages;
  if (train === undefined) throw new Error('the fixture lost its stage');
  const fetched: LiveView = {
    ...empty,
    stages: [{ ...train, progress: { done: 1797, total: 1797, unit: 'files' } }],
  };
  const epochs = { ...fetched, progress: running.progress };
  expect(describeChanges(fetched, epochs)).toEqual(['stage train: 10/40 epochs']);
  expect(describeChanges(epochs, epochs)).toEqual([]);
});

describe('lines of a log', () => {
  test('tell the time and the epoch', () => {
    const line = splitStamp('2026-03-01T10:00:00.5Z epoch 3/40 loss 0.5');
    expect(line).toEqual({ at: t0 + 500, words: 'epoch 3/40 loss 0.5' });
    expect(readProgress(line?.words ?? '')).toEqual({ done: 3, total: 40, unit: 'epochs' });
    expect(readProgress('held-out accuracy 0.98')).toBeUndefined();
    expect(readProgress('{"level":30,"rows":1797,"msg":"plan"}')).toEqual({
      done: 0,
      total: 1797,
      unit: 'objects',
    });
    expect(readProgress('{"done":5,"total":9,"msg":"progress"}')).toEqual({
      done: 5,
      total: 9,
      unit: 'objects',
    });
    expect(readProgress('{"msg":"other","done":5,"total":9}')).toBeUndefined();
    expect(readProgress('{"done":')).toBeUndefined();
    expect(plainWords('{"level":30,"msg":"plan"}')).toBe('plan');
    expect(plainWords('{not json')).toBe('{not json');
    expect(splitStamp('no time here')).toBeUndefined();
    expect(splitStamp('word')).toBeUndefined();
  });
});

test('the workers of a copy are one stage: what they have done, of what is planned', async () => {
  const said = new Map([
    ['worker-0', ['{"msg":"plan","rows":10}', '{"msg":"progress","done":3,"total":5}']],
    ['worker-1', ['{"msg":"plan","rows":10}', '{"msg":"progress","done":4,"total":5}']],
  ]);
  const podLog: KubeClient['podLog'] = async function* ({ pod }) {
    for (const line of said.get(pod) ?? []) yield Buffer.from(`${time(1)} ${line}\n`);
  };
  let lines = 0;
  const { promise: all, resolve } = Promise.withResolvers<void>();
  const taps = new LogTaps({ podLog }, () => {
    lines += 1;
    if (lines === 4) resolve();
  });
  for (const [index, name] of [...said.keys()].entries()) {
    const job = jobOf('arrange');
    const pod = podOf(job, { name, status: runningSince(0, 'copy') });
    pod.metadata.annotations = { 'batch.kubernetes.io/job-completion-index': String(index) };
    taps.look(pod, AbortSignal.timeout(120_000));
  }
  await all;
  expect(taps.progress.get('arrange')).toMatchObject({ done: 7, total: 10, unit: 'objects' });
});
