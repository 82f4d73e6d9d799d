/** Decisions of the plan that hang on one odd moment of the cluster. */
import { describe, expect, test } from 'vitest';
import type { PipelineRunSpec } from '../../operator/api/pipelinerun.ts';
import type { StageStatus } from '../../operator/api/status.ts';
import { tellForeign } from '../../operator/pipelinerun/end.ts';
import { planRun } from '../../operator/pipelinerun/plan.ts';
import type { Observed, Plan } from '../../operator/pipelinerun/types.ts';
import type { WorkerManifest } from '../../workers/contract/manifests.ts';
import { EXIT } from '../../workers/contract/exitcodes.ts';
import {
  at,
  conditionOfJob,
  ended,
  jobOf,
  observedOf,
  podOf,
  runOf,
  running,
  stamp,
} from '../support/plan/observed.ts';

const container = { image: 'busybox:1', command: ['true'] };
const work: PipelineRunSpec = { stages: [{ name: 'work', container }] };
const copying: PipelineRunSpec = {
  stages: [{ name: 'work', copy: { source: { bucket: 'a' }, destination: { bucket: 'b' } } }],
};

const planAt = (seconds: number, observed: Observed): Plan => planRun(observed, at(seconds));
const first = (plan: Plan): StageStatus | undefined => plan.status.stages?.[0];
const statusOf = (stage: Partial<StageStatus>) => ({
  startTime: stamp(0),
  stages: [{ name: 'work', state: 'Running' as const, attempt: 1, startTime: stamp(0), ...stage }],
});

test('a run whose first status is late began with its first Job: no stage begins before its run', () => {
  const run = runOf({ stages: [...work.stages, { name: 'next', container }] });
  const jobs = [jobOf('next', { created: 6 }), jobOf('work', { created: 5 })];
  expect(planAt(7, observedOf(run, { jobs })).status.startTime).toBe(stamp(5));
  expect(planAt(7, observedOf(run)).status.startTime).toBe(stamp(7));
});

test('a run that is deleted ends its pods with a short grace, and only then has its Jobs end them with their own', () => {
  const job = jobOf('work', { status: { startTime: stamp(0) } });
  const pods = [podOf(job, { status: running(10) })];
  const run = runOf(work, statusOf({}));
  const deleted = { ...run, metadata: { ...run.metadata, deletionTimestamp: stamp(20) } };
  const plan = planAt(20, observedOf(deleted, { jobs: [job], pods }));
  expect(plan.actions).toMatchObject([{ type: 'DeletePod', graceSeconds: 10 }, { type: 'SuspendJob' }]);
  expect(planAt(20, observedOf(run, { jobs: [job], pods })).actions).toEqual([]);
});

describe('a run that goes on after a long suspension', () => {
  const spec = { ...work, provisionTimeoutSeconds: 900 };

  test('waits for the Job controller to start anew, however old the Job is', () => {
    const run = runOf(spec, statusOf({ state: 'Provisioning', reason: 'WaitingForNode' }));
    const status = { startTime: stamp(0), conditions: [conditionOfJob('Suspended', 'True', 10)] };
    const job = jobOf('work', { spec: { suspend: false }, status });
    const plan = planAt(5_000, observedOf(run, { jobs: [job] }));
    expect(first(plan)).toMatchObject({ state: 'Provisioning', reason: 'WaitingForNode' });
    expect(plan.requeueAfterMs, 'a timer is set').toBe(900_000);
  });

  test('forgets the admission of a pod that was ended before the Job may start another: a crash between finds both or neither', () => {
    const run = runOf(spec, statusOf({ state: 'Waiting', reason: 'Suspended', admitted: 'gone-pod' }));
    const jobs = [jobOf('work', { spec: { suspend: true } })];
    const forgotten = planAt(5_000, observedOf(run, { jobs }));
    expect(forgotten.actions).toEqual([]);
    expect(first(forgotten)?.admitted).toBeUndefined();
    const resumed = planAt(5_000, observedOf(runOf(spec, forgotten.status), { jobs }));
    expect(resumed.actions).toEqual([{ type: 'ResumeJob', job: jobs[0]?.metadata.name, uid: 'job-work-1' }]);
    expect(first(resumed)).toMatchObject({ state: 'Provisioning' });
  });
});

test('what is not of a run is left alone when it ends, and no event says that anything is deleted', () => {
  const { events } = tellForeign(planAt(0, observedOf(runOf(work))), ['Pod mine']);
  expect(events.at(-1)).toMatchObject({ reason: 'ForeignObject', action: 'FinishRun' });
});

test('the Job of a stage that has succeeded is left to end, but not for ever', () => {
  const job = jobOf('work');
  const run = runOf(work, statusOf({ state: 'Succeeded', completionTime: stamp(100) }));
  const observed = observedOf(run, { jobs: [job], pods: [podOf(job, { status: running(10) })] });
  expect(planAt(159, observed).actions).toEqual([]);
  expect(planAt(159, observed).requeueAfterMs, 'what nobody tells about is looked at').toBe(1_000);
  expect(planAt(160, observed).actions).toMatchObject([{ type: 'SuspendJob', uid: 'job-work-1' }]);
});

describe('a copy whose next pod never comes', () => {
  const job = jobOf('work', { status: { startTime: stamp(0) } });
  const pods = [podOf(job, { status: ended(10, 100, 12, 'copy') })];
  const run = runOf({ ...copying, provisionTimeoutSeconds: 900 }, statusOf({}));

  test('has a time at which it is given up, beyond the back-off of the Job controller', () => {
    const plan = planAt(200, observedOf(run, { jobs: [job], pods }));
    expect(first(plan)).toMatchObject({ state: 'Provisioning', reason: 'Retrying' });
    expect(plan.requeueAfterMs).toBe(1_400_000);
  });

  test('fails then, in the words of whoever refused it', () => {
    const waiting = new Map([
      ['work', { reason: 'PodCreationRefused' as const, message: 'exceeded quota: pods' }],
    ]);
    const plan = planAt(1_600, observedOf(run, { jobs: [job], pods, waiting }));
    expect(first(plan)).toMatchObject({ state: 'Failed', reason: 'PodCreationRefused' });
    expect(first(plan)?.message).toContain('exceeded quota: pods');
  });
});

describe('a copy with a worker that has failed, of whose pod the kubelet has not ended all yet', () => {
  const job = jobOf('work', { spec: { completions: 2, parallelism: 2 }, status: { startTime: stamp(0) } });
  const failing = podOf(job, { name: 'one', status: { ...ended(10, 100, 12, 'copy'), phase: 'Running' } });
  const well = podOf(job, { name: 'two', status: { ...ended(10, 100, 0, 'copy'), phase: 'Running' } });
  const run = runOf(copying, statusOf({}));

  test.each([
    ['alone', [failing], { state: 'Provisioning', reason: 'Retrying' }],
    ['beside one that did its part', [failing, well], { state: 'Finalizing', reason: 'UploadingOutputs' }],
  ])('waits for its Job, which replaces it: %s', (_how, pods, expected) => {
    const plan = planAt(200, observedOf(run, { jobs: [job], pods }));
    expect(first(plan)).toMatchObject(expected);
    expect(plan.requeueAfterMs).toBeGreaterThan(0);
  });

  test('does not wait for ever', () => {
    const plan = planAt(1_600, observedOf(run, { jobs: [job], pods: [failing] }));
    expect(first(plan)).toMatchObject({ state: 'Failed', reason: 'Error' });
  });

  test('lets those that waited behind it for a node have the whole of their time from its end', () => {
    const long = podOf(job, { name: 'one', status: { ...ended(10, 2_000, 12, 'copy'), phase: 'Running' } });
    const pods = [long, podOf(job, { name: 'two' })];
    const plan = planAt(2_001, observedOf(run, { jobs: [job], pods }));
    expect(first(plan)).toMatchObject({ state: 'Provisioning', reason: 'WaitingForNode' });
    expect(first(planAt(2_900, observedOf(run, { jobs: [job], pods })))).toMatchObject({
      state: 'Failed',
      reason: 'Unschedulable',
    });
  });
});

describe('a pod whose agent has failed, and whose command runs as far as the kubelet has shown', () => {
  const job = jobOf('work', { status: { startTime: stamp(0) } });
  const { containerStatuses: agent = [] } = ended(5, 100, EXIT.commandFailed, 'agent');
  const status = running(10);
  const pod = podOf(job, {
    status: { ...status, containerStatuses: [...(status.containerStatuses ?? []), ...agent] },
  });
  const observed = observedOf(runOf(work, statusOf({})), { jobs: [job], pods: [pod] });

  test('is not ended at once: the agent ends after its command, and the kubelet may show that first', () => {
    const plan = planAt(101, observed);
    expect(first(plan)).toMatchObject({ state: 'Running', reason: 'Error' });
    expect(plan.actions).toEqual([]);
    expect(plan.requeueAfterMs).toBe(29_000);
  });

  test('is ended when the command goes on', () => {
    const plan = planAt(130, observed);
    expect(first(plan)).toMatchObject({ state: 'Failed', reason: 'Error' });
    expect(plan.actions).toMatchObject([{ type: 'SuspendJob' }]);
  });
});

describe('activeDeadlineSeconds', () => {
  test('is summed over the pods that a copy had one after the other', () => {
    const job = jobOf('work', { status: { startTime: stamp(0) } });
    const pods = [
      podOf(job, { name: 'one', status: ended(0, 60, 12, 'copy') }),
      podOf(job, { name: 'two', created: 70, status: running(80, 'copy') }),
    ];
    const run = runOf({ ...copying, activeDeadlineSeconds: 100 }, statusOf({}));
    expect(planAt(110, observedOf(run, { jobs: [job], pods })).requeueAfterMs).toBe(10_000);
    const plan = planAt(120, observedOf(run, { jobs: [job], pods }));
    expect(first(plan)).toMatchObject({ state: 'Failed', reason: 'DeadlineExceeded', activeSeconds: 100 });
  });

  test('is not used up by a container that the runtime could not start, which the kubelet dates to 1970', () => {
    const spec = { stages: [{ name: 'work', retry: { failures: 1 }, container }] };
    const job = jobOf('work', { status: { conditions: [conditionOfJob('Failed', 'True', 30)] } });
    const pod = podOf(job, { status: ended(-1_767_225_600, 30, 128) });
    expect(pod.status?.containerStatuses?.[0]?.state?.terminated?.startedAt).toBe('1970-01-01T00:00:00Z');
    const plan = planAt(31, observedOf(runOf(spec, statusOf({})), { jobs: [job], pods: [pod] }));
    expect(plan.actions).toEqual([{ type: 'CreateJob', stage: 'work', attempt: 2, activeSeconds: 0 }]);
  });

  test('does not count again what was counted before a suspension', () => {
    const job = jobOf('work', { status: { startTime: stamp(500) } });
    const pods = [
      podOf(job, { name: 'one', status: ended(0, 60, 12, 'copy') }),
      podOf(job, { name: 'two', created: 510, status: running(510, 'copy') }),
    ];
    const run = runOf({ ...copying, activeDeadlineSeconds: 100 }, statusOf({ activeSeconds: 60 }));
    const plan = planAt(520, observedOf(run, { jobs: [job], pods }));
    expect(first(plan)).toMatchObject({ state: 'Running' });
    expect(plan.requeueAfterMs).toBe(30_000);
  });
});

describe('a copy that has been planned', () => {
  const spec = (copy: object = {}, workers = 4): PipelineRunSpec => ({
    stages: [
      { name: 'work', workers, copy: { source: { bucket: 'a' }, destination: { bucket: 'b' }, ...copy } },
    ],
  });
  const planned = (workers: number) => new Map([['work', workers]]);
  const job = (completions: number) => jobOf('work', { spec: { completions, parallelism: completions } });
  const grow = (given: PipelineRunSpec, completions: number, plans: ReadonlyMap<string, number>) => {
    const its = job(completions);
    const pods = [podOf(its, { status: running(10, 'copy') })];
    return planAt(20, observedOf(runOf(given, statusOf({})), { jobs: [its], pods, plans })).actions;
  };
  const grown = (workers: number) => [
    { type: 'GrowJob', job: jobOf('work').metadata.name, uid: 'job-work-1', workers },
  ];

  test.each([
    ['gets as many workers as there are shards for', spec(), 1, planned(3), grown(3)],
    ['gets no more than it asks for', spec({}, 2), 1, planned(3), grown(2)],
    ['is left alone when it has them', spec(), 3, planned(3), []],
    ['never gets fewer', spec(), 4, planned(3), []],
    ['stays with one while nobody knows the plan', spec(), 1, new Map(), []],
    ['stays with one when it is only planned', spec({ dryRun: true }), 1, planned(3), []],
  ])('%s', (_what, given, completions, plans, actions) => {
    expect(grow(given, completions, plans)).toEqual(actions);
  });

  test('runs as long as one worker copies, however long another waits for its node', () => {
    const its = job(2);
    const pods = [
      podOf(its, { name: 'busy', status: running(10, 'copy') }),
      podOf(its, { name: 'idle', created: 20 }),
    ];
    const observed = observedOf(runOf(spec(), statusOf({})), { jobs: [its], pods });
    expect(first(planAt(5_000, observed))).toMatchObject({
      state: 'Running',
      message: '1 worker not started yet',
      workers: { wanted: 2, active: 2 },
    });
  });

  test('waits for a node anew when those who had the nodes have ended', () => {
    const its = job(2);
    const pods = [
      podOf(its, { name: 'done', status: ended(10, 5_000, 0, 'copy') }),
      podOf(its, { name: 'idle', created: 20 }),
    ];
    const status = observedOf(runOf(spec(), statusOf({})), { jobs: [its], pods });
    expect(first(planAt(5_100, status))).toMatchObject({ state: 'Provisioning' });
    expect(first(planAt(5_901, status))).toMatchObject({ state: 'Failed', reason: 'Unschedulable' });
  });
});

describe('a copy whose workers have ended', () => {
  const figures = { planned: 10, renamed: 10, skipped: 0, unchanged: 0, moved: 0, bytes: 100 };
  const word = (index: number, failed: number, more: Partial<WorkerManifest> = {}): WorkerManifest => ({
    kind: 'worker',
    version: 1,
    run: { uid: 'run-uid', name: 'nightly', namespace: 'data' },
    stage: 'work',
    index,
    attempt: 1,
    podUID: `pod-${index}`,
    podName: `pod-${index}`,
    startTime: stamp(0),
    endTime: stamp(30),
    exit: { code: 0, started: true },
    copy: { ...figures, copied: 10 - failed, failed },
    ...more,
  });
  const spec = (maxFailures: number): PipelineRunSpec => ({
    stages: [
      {
        name: 'work',
        workers: 3,
        copy: { source: { bucket: 'a' }, destination: { bucket: 'b' }, maxFailures },
      },
    ],
  });
  const stageOf = (
    maxFailures: number,
    words: readonly WorkerManifest[],
    more: Partial<Omit<Observed, 'run'>> = {},
    seconds = 60,
  ) => {
    const jobs = [jobOf('work', { spec: { completions: 3, parallelism: 3 } })];
    const reports = new Map(words.map((one) => [one.podUID, one]));
    const run = runOf(spec(maxFailures), statusOf({}));
    return first(planAt(seconds, observedOf(run, { jobs, reports, ...more })));
  };
  const done = (type: 'Complete' | 'Failed', reason: string = type) => ({
    jobs: [
      jobOf('work', {
        spec: { completions: 3, parallelism: 3 },
        status: { completionTime: stamp(40), conditions: [conditionOfJob(type, 'True', 40, reason)] },
      }),
    ],
  });

  test('has succeeded when each has said so, and their figures are one sum', () => {
    expect(stageOf(0, [word(0, 0), word(1, 0), word(2, 0)])).toMatchObject({
      state: 'Succeeded',
      reason: 'Completed',
      message: '30 objects copied, 30 renamed',
    });
    expect(stageOf(0, [word(0, 0), word(2, 0)])?.state).not.toBe('Succeeded');
  });

  test('says in its own words what a dry run found out', () => {
    const dry: PipelineRunSpec = {
      stages: [
        { name: 'work', copy: { source: { bucket: 'a' }, destination: { bucket: 'b' }, dryRun: true } },
      ],
    };
    const message = 'dry run: 3 objects (9 bytes) would be copied';
    const reports = new Map([['pod-0', word(0, 0, { message })]]);
    const run = runOf(dry, statusOf({}));
    const plan = planAt(60, observedOf(run, { jobs: [jobOf('work')], reports }));
    expect(first(plan)).toMatchObject({ state: 'Succeeded', reason: 'Completed', message });
  });

  test('holds the failures of all against maxFailures', () => {
    const words = [word(0, 2), word(1, 0), word(2, 2)];
    expect(stageOf(4, words)).toMatchObject({ state: 'Succeeded', reason: 'CopiedWithFailures' });
    // Each of them is within the bound.
    expect(stageOf(3, words)).toMatchObject({
      state: 'Failed',
      reason: 'CopyFailed',
      message: '26 objects copied, 30 renamed, 4 failed (ebbflow results failures); copy.maxFailures is 3',
    });
  });

  test('takes of each worker the pod that did all, not the one that was ended beside it', () => {
    const late = { podUID: 'twin', endTime: stamp(50), exit: { code: 143, started: true } };
    const words = [word(0, 0), word(0, 7, late), word(1, 0), word(2, 0)];
    expect(stageOf(0, words)).toMatchObject({ state: 'Succeeded', message: '30 objects copied, 30 renamed' });
  });

  test('is judged by the attempt that goes on: another Job starts with one worker again', () => {
    const jobs = [jobOf('work', { attempt: 2 })];
    const run = runOf(spec(0), statusOf({ attempt: 2 }));
    const before = new Map([word(0, 0), word(1, 0)].map((one) => [one.podUID, one]));
    const observed = observedOf(run, { jobs, reports: before });
    expect(first(planAt(60, observed))?.state).not.toBe('Succeeded');
    const now = new Map([...before, ['again', word(0, 0, { podUID: 'again', attempt: 2 })]]);
    expect(first(planAt(60, { ...observed, reports: now }))?.state).toBe('Succeeded');
  });

  test('is not judged by a Job with fewer workers than the plan has rows for: the cache may be older than its growth', () => {
    const jobs = [jobOf('work')];
    const plans = new Map([['work', 3]]);
    expect(stageOf(0, [word(0, 0)], { jobs, plans })).toMatchObject({ state: 'Provisioning' });
    expect(stageOf(0, [word(0, 0)], { jobs, plans: new Map([['work', 1]]) })?.state).toBe('Succeeded');
  });

  test('has failed when its Job ended without some of them', () => {
    const jobs = [jobOf('work', { status: { conditions: [conditionOfJob('Complete', 'True', 40)] } })];
    expect(stageOf(0, [word(0, 0)], { jobs, plans: new Map([['work', 3]]) })).toMatchObject({
      state: 'Failed',
      message: 'the Job ended without 2 workers that the plan of the copy has rows for',
    });
  });

  test('is not judged before every worker was heard or looked for, and not for ever', () => {
    const words = [word(0, 0), word(1, 0)];
    expect(stageOf(0, words, done('Complete'))).toMatchObject({ state: 'Finalizing' });
    const heard = new Set(['job-work-1']);
    expect(stageOf(0, words, { ...done('Complete'), heard })?.state).toBe('Succeeded');
    expect(stageOf(0, words, done('Complete'), 641)).toMatchObject({
      state: 'Failed',
      reason: 'StoreUnavailable',
      message: 'the results store does not say what 1 worker of the copy did',
    });
  });

  test('says how much was done when one of them could not do its part', () => {
    const failed = { exit: { code: 11, started: true }, reason: 'CopyFailed' };
    const [its] = done('Failed', 'FailedIndexes').jobs;
    const pods = its ? [podOf(its, { status: ended(10, 30, 11, 'copy') })] : [];
    const words = [word(0, 0), word(1, 0), word(2, 9, failed)];
    const message = first(
      planAt(
        60,
        observedOf(runOf(spec(3), statusOf({})), {
          ...done('Failed', 'FailedIndexes'),
          pods,
          reports: new Map(words.map((one) => [one.podUID, one])),
        }),
      ),
    )?.message;
    expect(message).toMatch(/^21 objects copied, 30 renamed, 9 failed \(ebbflow results failures\); /);
  });
});
