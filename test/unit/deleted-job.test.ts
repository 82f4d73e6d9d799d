/** Somebody deletes the Job of a stage while it runs: a disruption, counted once, and the next attempt. */
import { describe, expect, test } from 'vitest';
import type { PipelineRunStatus, StageStatus } from '../../operator/api/status.ts';
import { planRun } from '../../operator/pipelinerun/plan.ts';
import type { Observed, Plan } from '../../operator/pipelinerun/types.ts';
import { at, ended, jobOf, observedOf, podOf, runOf, running, stamp } from '../support/plan/observed.ts';

const container = { image: 'busybox:1', command: ['true'] };
const statusOf = (stage: Partial<StageStatus>): PipelineRunStatus => ({
  startTime: stamp(0),
  stages: [{ name: 'work', state: 'Running', attempt: 1, startTime: stamp(0), ...stage }],
});

function plan(status: PipelineRunStatus, more: Partial<Omit<Observed, 'run'>> = {}, disruptions = 20): Plan {
  const run = runOf({ stages: [{ name: 'work', retry: { disruptions }, container }] }, status);
  return planRun(observedOf(run, more), at(100));
}
const first = ({ status }: Plan): StageStatus | undefined => status.stages?.[0];

const conditionOfRun = (status: 'Unknown' | 'False', reason: string) => ({
  type: 'Succeeded' as const,
  status,
  reason,
  message: '',
  observedGeneration: 1,
  lastTransitionTime: stamp(90),
});

/** What is left of an attempt whose Job is not there any more. */
const orphan = (more: Parameters<typeof podOf>[1]) => podOf(jobOf('work'), more);

/** The same after kubectl delete --cascade=orphan: the garbage collector has taken the owner away. */
function disowned(more: Parameters<typeof podOf>[1]) {
  const { metadata, ...rest } = orphan(more);
  const name = `${jobOf('work').metadata.name}-0-ab1cd`;
  return { ...rest, metadata: { ...metadata, name, ownerReferences: [] } };
}

describe('the Job of a running stage that is gone', () => {
  test('is asked for once more, then replaced by that of the next attempt', () => {
    const made = plan(statusOf({ admitted: 'job-work-1-pod' }));
    expect(made.actions).toEqual([
      { type: 'ConfirmJobGone', stage: 'work', attempt: 1 },
      { type: 'CreateJob', stage: 'work', attempt: 2, activeSeconds: 0, disruptions: 1 },
    ]);
    expect(first(made)).toMatchObject({ state: 'Provisioning', attempt: 2, disruptions: 1, failures: 0 });
    expect(first(made)?.admitted).toBeUndefined();
    expect(made.events.map(({ note }) => note).join()).toContain('JobDeleted');
  });

  test('fails its stage when no disruption is left', () => {
    const made = plan(statusOf({ disruptions: 2 }), {}, 2);
    expect(first(made)).toMatchObject({ state: 'Failed', reason: 'JobDeleted' });
    expect(made.actions.map(({ type }) => type)).not.toContain('CreateJob');
  });

  test('is not replaced before its pods have ended', () => {
    const pods = [orphan({ status: running(10), deleted: 130 })];
    const made = plan(statusOf({}), { pods });
    expect(made.actions, 'before anybody can read that it is gone').toEqual([
      { type: 'ConfirmJobGone', stage: 'work', attempt: 1 },
    ]);
    expect(plan(made.status, { pods }).actions).toEqual([]);
    expect(first(made)).toMatchObject({ attempt: 1, reason: 'JobDeleted' });
    expect(made.requeueAfterMs).toBe(30_000);
    const over = plan(made.status, { pods: [orphan({ status: ended(10, 101, 143) })] });
    expect(first(over)).toMatchObject({ attempt: 2, disruptions: 1 });
  });

  test('has its pods ended when it was deleted without them', () => {
    const made = plan(statusOf({}), { pods: [orphan({ status: running(10) })] });
    expect(made.actions, 'a cache of Jobs may be older than that of pods').toMatchObject([
      { type: 'ConfirmJobGone', stage: 'work', attempt: 1 },
      { type: 'DeletePod', uid: 'job-work-1-pod', graceSeconds: 30 },
    ]);
  });

  test('whose node is dead does not hold the stage', () => {
    const pods = [orphan({ status: running(10), deleted: 130 })];
    const made = plan(statusOf({}), { pods, lostPods: new Set(['job-work-1-pod']) });
    expect(made.actions.map(({ type }) => type)).toEqual(['ConfirmJobGone', 'ReleasePod']);
  });

  test('has the time that its pods ran counted, once', () => {
    const made = plan(statusOf({ activeSeconds: 7 }), {
      pods: [orphan({ status: running(10), deleted: 130 })],
    });
    expect(first(made)?.activeSeconds).toBe(97);
    const still = plan(made.status, { pods: [orphan({ status: running(10), deleted: 130 })] });
    expect(first(still)?.activeSeconds).toBe(97);
    const over = plan(still.status, { pods: [orphan({ status: ended(10, 99, 143) })] });
    expect(over.actions.at(-1)).toMatchObject({ type: 'CreateJob', attempt: 2, activeSeconds: 97 });
  });

  test('has it counted also when they had ended already', () => {
    const made = plan(statusOf({}), { pods: [orphan({ status: ended(10, 60, 143) })] });
    expect(made.actions.at(-1)).toMatchObject({ type: 'CreateJob', attempt: 2, activeSeconds: 50 });
  });

  test('has none of an earlier attempt counted with it', () => {
    const earlier = podOf(jobOf('work', { attempt: 1 }), { status: ended(0, 5, 1) });
    const own = podOf(jobOf('work', { attempt: 2 }), { status: ended(10, 60, 143) });
    const made = plan(statusOf({ attempt: 2, activeSeconds: 5 }), { pods: [earlier, own] });
    expect(made.actions.at(-1)).toMatchObject({ type: 'CreateJob', attempt: 3, activeSeconds: 55 });
  });

  test('leaves its time also to a run that is canceled or suspended then', () => {
    const pods = [orphan({ status: running(10) })];
    const ending = (spec: { cancel?: boolean; suspend?: boolean }) =>
      planRun(
        observedOf(runOf({ ...spec, stages: [{ name: 'work', container }] }, statusOf({})), { pods }),
        at(100),
      );
    expect(first(ending({ cancel: true }))).toMatchObject({ state: 'Canceled', activeSeconds: 90 });
    const suspended = ending({ suspend: true });
    expect(first(suspended)).toMatchObject({ state: 'Waiting', activeSeconds: 90 });
    const again = planRun(
      observedOf(runOf({ suspend: true, stages: [{ name: 'work', container }] }, suspended.status), { pods }),
      at(120),
    );
    expect(first(again)?.activeSeconds).toBe(90);
  });
});

describe('while the store has not said what the admitted pod of a Job that is gone has left', () => {
  const admitted = 'job-work-1-pod';
  const wanted = (seconds: number) => ({ unanswered: new Map([['work', at(seconds).getTime()]]) });
  const suspended = { state: 'Waiting', reason: 'Suspended', admitted } as const;

  test.each<[string, Partial<StageStatus>, Partial<Omit<Observed, 'run'>>]>([
    ['no attempt follows', { admitted }, {}],
    [
      'none follows also when the pod was left and has ended',
      { admitted },
      { pods: [disowned({ status: ended(10, 60, 0) })] },
    ],
    ['the attempt does not begin again after a suspension', suspended, {}],
    ['nor with a Job that is still there', suspended, { jobs: [jobOf('work', { spec: { suspend: true } })] }],
  ])('%s, but not for ever', (_what, stage, more) => {
    const waiting = plan(statusOf(stage), { ...more, ...wanted(41) });
    expect(waiting.actions).toEqual([]);
    expect(first(waiting)).toMatchObject(stage);
    expect(waiting.requeueAfterMs).toBe(1_000);
    const given = plan(statusOf(stage), { ...more, ...wanted(40) });
    expect(first(given)?.admitted).toBeUndefined();
  });

  test('its pods end all the same', () => {
    const pods = [disowned({ status: running(10) })];
    expect(plan(statusOf({ admitted }), { pods, ...wanted(99) }).actions).toMatchObject([
      { type: 'ConfirmJobGone' },
      { type: 'DeletePod', uid: admitted },
    ]);
  });

  test('a stage without an admitted pod waits for nothing', () => {
    expect(first(plan(statusOf({}), wanted(99)))).toMatchObject({ attempt: 2 });
  });
});

test('a Job that is being deleted counts as gone', () => {
  const job = jobOf('work', { deleted: 90 });
  const made = plan(statusOf({}), { jobs: [job], pods: [podOf(job, { status: ended(10, 99, 143) })] });
  expect(first(made)).toMatchObject({ attempt: 2, disruptions: 1 });
});

test.each<[string, Partial<StageStatus>]>([
  [
    'that the cluster refused',
    { state: 'Provisioning', reason: 'PodCreationRefused', refusedSince: stamp(95) },
  ],
  ['of a stage that was suspended', { state: 'Waiting', reason: 'Suspended' }],
])('a Job %s is created under the same attempt, and nothing is counted', (_what, stage) => {
  const made = plan(statusOf(stage));
  expect(made.actions).toEqual([{ type: 'CreateJob', stage: 'work', attempt: 1, activeSeconds: 0 }]);
  expect(first(made)?.disruptions ?? 0).toBe(0);
});

describe('a pod that was left behind when somebody deleted its Job without it', () => {
  const over = { result: 'Canceled', reason: 'Canceled', time: stamp(90) } as const;
  const committing = conditionOfRun('Unknown', 'Committing');
  const canceled = statusOf({ state: 'Canceled' });

  test('is ended before the record of the run is stored', () => {
    const pods = [disowned({ status: running(10) })];
    const made = plan({ ...canceled, outcome: over, conditions: [committing] }, { pods });
    expect(made.actions).toMatchObject([{ type: 'DeletePod', uid: 'job-work-1-pod', graceSeconds: 30 }]);
    expect(made.commit).toBeUndefined();
  });

  test('goes with the compute of the run, also when it has ended', () => {
    const conditions = [conditionOfRun('False', 'Canceled')];
    const pods = [disowned({ status: ended(10, 50, 0) })];
    const made = plan({ ...canceled, outcome: over, conditions }, { pods });
    expect(made.actions).toMatchObject([{ type: 'DeletePod', uid: 'job-work-1-pod' }]);
  });

  test('is left to the garbage collector where it has an owner', () => {
    const conditions = [conditionOfRun('False', 'Canceled')];
    const made = plan({ ...canceled, outcome: over, conditions }, { pods: [orphan({})] });
    expect(made.actions, 'but whether its Job is really gone is asked').toEqual([
      { type: 'ReclaimJob', job: jobOf('work').metadata.name, uid: 'job-work-1' },
    ]);
  });

  test('is not asked to go again and again', () => {
    const pods = [disowned({ status: running(10), deleted: 130 })];
    expect(plan({ ...canceled, outcome: over, conditions: [committing] }, { pods }).actions).toEqual([]);
  });
});

test('such a pod ends before the next attempt begins, also without the label of its stage', () => {
  const pod = disowned({ status: running(10) });
  const unlabelled = { ...pod, metadata: { ...pod.metadata, labels: {} } };
  expect(plan(statusOf({}), { pods: [unlabelled] }).actions).toMatchObject([
    { type: 'ConfirmJobGone' },
    { type: 'DeletePod', uid: 'job-work-1-pod' },
  ]);
});

test('such a pod ends also while its run is suspended', () => {
  const run = runOf({ suspend: true, stages: [{ name: 'work', container }] }, statusOf({}));
  const made = planRun(observedOf(run, { pods: [disowned({ status: running(10) })] }), at(100));
  expect(made.actions).toMatchObject([
    { type: 'ConfirmJobGone' },
    { type: 'DeletePod', uid: 'job-work-1-pod' },
  ]);
  expect(first(made)).toMatchObject({ state: 'Waiting', reason: 'Suspended' });
});

describe('a stage that begins again after a suspension in which its Job was deleted', () => {
  const suspended = statusOf({ state: 'Waiting', reason: 'Suspended', admitted: 'job-work-1-pod' });

  test('may admit another pod', () => {
    const made = plan(suspended);
    expect(made.actions).toMatchObject([{ type: 'CreateJob', attempt: 1 }]);
    expect(first(made)?.admitted).toBeUndefined();
  });

  test('waits until no pod of the deleted Job can write any more', () => {
    const ending = plan(suspended, { pods: [orphan({ status: running(10), deleted: 130 })] });
    expect(ending.actions).toEqual([]);
    expect(first(ending)).toMatchObject({ attempt: 1, state: 'Waiting' });
    const left = plan(suspended, { pods: [orphan({ status: running(10) })] });
    expect(left.actions).toMatchObject([
      { type: 'ConfirmJobGone', attempt: 1 },
      { type: 'DeletePod', uid: 'job-work-1-pod' },
    ]);
    expect(plan(ending.status, { pods: [orphan({ status: running(10), deleted: 130 })] }).status).toEqual(
      ending.status,
    );
    const over = plan(ending.status, { pods: [orphan({ status: ended(10, 101, 143) })] });
    expect(over.actions).toMatchObject([{ type: 'CreateJob', attempt: 1 }]);
    expect(first(over)?.disruptions ?? 0).toBe(0);
  });
});

describe('after a crash between the next Job and the status', () => {
  test('the deletion is counted then', () => {
    const made = plan(statusOf({ admitted: 'job-work-1-pod' }), { jobs: [jobOf('work', { attempt: 2 })] });
    expect(first(made)).toMatchObject({ attempt: 2, disruptions: 1 });
    expect(first(made)?.admitted).toBeUndefined();
    expect(first(plan(made.status, { jobs: [jobOf('work', { attempt: 2 })] }))?.disruptions).toBe(1);
  });

  test('an attempt before it that was counted is not counted again', () => {
    const jobs = [jobOf('work', { attempt: 1 }), jobOf('work', { attempt: 3 })];
    const made = plan(statusOf({ attempt: 2, failures: 1 }), { jobs });
    expect(first(made)).toMatchObject({ attempt: 3, failures: 1, disruptions: 1 });
  });
});
