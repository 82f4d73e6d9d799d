/** Decisions of the plan that hang on one odd moment of the cluster. */
import { describe, expect, test } from 'vitest';
import type { PipelineRunSpec } from '../../operator/api/pipelinerun.ts';
import type { StageStatus } from '../../operator/api/status.ts';
import { planRun } from '../../operator/pipelinerun/plan.ts';
import type { Observed, Plan } from '../../operator/pipelinerun/types.ts';
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

  test('lets another pod be admitted when the admitted one was ended', () => {
    const run = runOf(spec, statusOf({ state: 'Waiting', reason: 'Suspended', admitted: 'gone-pod' }));
    const job = jobOf('work', { spec: { suspend: true } });
    const plan = planAt(5_000, observedOf(run, { jobs: [job] }));
    expect(plan.actions).toEqual([{ type: 'ResumeJob', job: 'job-work-1', uid: 'job-work-1' }]);
    expect(first(plan)?.admitted).toBeUndefined();
  });
});

describe('a retry whose Job the cluster refused', () => {
  const spec: PipelineRunSpec = {
    provisionTimeoutSeconds: 900,
    stages: [{ name: 'work', retry: { failures: 3 }, container }],
  };
  const failed = { conditions: [conditionOfJob('Failed', 'True', 5_000)] };
  const jobs = [jobOf('work', { status: failed })];
  const refused = statusOf({ state: 'Provisioning', reason: 'PodCreationRefused', attempt: 2, failures: 1 });

  test('is the same attempt again, and costs no further failure', () => {
    const plan = planAt(5_010, observedOf(runOf(spec, refused), { jobs }));
    expect(plan.actions).toEqual([{ type: 'CreateJob', stage: 'work', attempt: 2, activeSeconds: 0 }]);
    expect(first(plan)).toMatchObject({ attempt: 2, failures: 1 });
  });

  test('is given up provisionTimeoutSeconds after the attempt before it', () => {
    const plan = planAt(5_900, observedOf(runOf(spec, refused), { jobs }));
    expect(first(plan)).toMatchObject({ state: 'Failed', reason: 'PodCreationRefused' });
  });
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
