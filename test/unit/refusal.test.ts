/** A Job that the cluster refuses: what that does to its stage, and for how long. */
import { describe, expect, test } from 'vitest';
import type { PipelineRunSpec } from '../../operator/api/pipelinerun.ts';
import type { PipelineRunStatus, StageStatus } from '../../operator/api/status.ts';
import type { Job } from '../../operator/kube/types.ts';
import { StageRefused } from '../../operator/pipelinerun/applyjob.ts';
import { planRun } from '../../operator/pipelinerun/plan.ts';
import { refuseStage } from '../../operator/pipelinerun/refusal.ts';
import type { Plan } from '../../operator/pipelinerun/types.ts';
import { at, conditionOfJob, jobOf, observedOf, runOf, stamp } from '../support/plan/observed.ts';

const spec: PipelineRunSpec = {
  provisionTimeoutSeconds: 900,
  stages: [
    {
      name: 'work',
      retry: { failures: 3, disruptions: 3 },
      container: { image: 'busybox:1', command: ['true'] },
    },
  ],
};
const refusal = new StageRefused('work', 'PodCreationRefused', 'no', true);
const first = ({ status }: Pick<Plan, 'status'>): StageStatus | undefined => status.stages?.[0];
const statusOf = (stage: Partial<StageStatus>): PipelineRunStatus => ({
  startTime: stamp(0),
  stages: [{ name: 'work', state: 'Running', attempt: 1, startTime: stamp(0), ...stage }],
});

function planAt(
  seconds: number,
  status?: PipelineRunStatus,
  jobs: Job[] = [],
  more: Partial<PipelineRunSpec> = {},
): Plan {
  return planRun(observedOf(runOf({ ...spec, ...more }, status), { jobs }), at(seconds));
}

/** The status after the cluster has refused what was planned then. */
function refusedAt(seconds: number, status?: PipelineRunStatus, jobs: Job[] = []): PipelineRunStatus {
  const plan = planAt(seconds, status, jobs);
  expect(plan.actions.map(({ type }) => type)).toContain('CreateJob');
  return refuseStage(plan, refusal, status, at(seconds)).status;
}

test.each([
  ['that quotas or webhooks may yet take is created again soon', true, 'Provisioning', 5_000],
  ['that something in the cluster changes each time fails its stage at once', false, 'Failed', 0],
])('a Job %s', (_which, mayPass, state, requeueAfterMs) => {
  const said = new StageRefused('work', 'PodCreationRefused', 'no', mayPass);
  const refused = refuseStage(planAt(0), said, undefined, at(0));
  expect(first(refused)).toMatchObject({ state, reason: 'PodCreationRefused', message: 'no' });
  expect(refused.requeueAfterMs).toBe(requeueAfterMs);
});

test('a stage that has ended stays as it ended, whatever the cluster refuses then', () => {
  const status = statusOf({ state: 'Failed', reason: 'JobDeleted' });
  const late = refuseStage(planAt(0, status), refusal, status, at(0));
  expect(first(late)).toMatchObject({ state: 'Failed', reason: 'JobDeleted' });
  expect(late.events.map(({ reason }) => reason)).toContain('PodCreationRefused');
});

describe('a Job that is refused again and again', () => {
  test('is given up provisionTimeoutSeconds after the first time, also by another operator', () => {
    const once = refusedAt(5);
    const again = refusedAt(800, once);
    expect(first(planAt(904, again))).toMatchObject({ state: 'Provisioning' });
    const over = first(planAt(905, again));
    expect(over).toMatchObject({ state: 'Failed', reason: 'PodCreationRefused', message: 'no' });
    expect(over?.refusedSince).toBeUndefined();
  });

  test('has as long when its stage has run for hours: somebody deleted the Job before', () => {
    const once = refusedAt(5_000, statusOf({}));
    expect(first({ status: once })).toMatchObject({ attempt: 2, disruptions: 1 });
    const plan = planAt(5_005, once);
    expect(plan.actions).toMatchObject([{ type: 'CreateJob', attempt: 2 }]);
    expect(first(planAt(5_900, once))).toMatchObject({ state: 'Failed', reason: 'PodCreationRefused' });
  });

  test('has as long when it is the Job of a retry, which is the same attempt each time and costs no further failure', () => {
    const jobs = [jobOf('work', { status: { conditions: [conditionOfJob('Failed', 'True', 100)] } })];
    const once = refusedAt(5_000, statusOf({}), jobs);
    const plan = planAt(5_010, once, jobs);
    expect(plan.actions).toEqual([{ type: 'CreateJob', stage: 'work', attempt: 2, activeSeconds: 0 }]);
    expect(first(plan)).toMatchObject({ attempt: 2, failures: 1 });
    expect(first(planAt(5_900, refusedAt(5_800, once, jobs), jobs))).toMatchObject({ state: 'Failed' });
  });

  test('is not counted while the run is suspended', () => {
    const suspended = planAt(10, refusedAt(5), [], { suspend: true }).status;
    expect(first({ status: suspended })).toMatchObject({ state: 'Waiting', reason: 'Suspended' });
    const resumed = refusedAt(5_000, suspended);
    expect(first(planAt(5_005, resumed))).toMatchObject({ state: 'Provisioning' });
  });

  test('is forgotten once it was taken', () => {
    const taken = planAt(20, refusedAt(5), [jobOf('work', { created: 15 })]);
    expect(first(taken)?.refusedSince).toBeUndefined();
    expect(first(taken)).toMatchObject({ state: 'Provisioning', attempt: 1 });
  });
});

test('a Job whose pods are refused is there: deleted by somebody, it is replaced by that of the next attempt', () => {
  const plan = planAt(100, statusOf({ state: 'Provisioning', reason: 'PodCreationRefused' }));
  expect(first(plan)).toMatchObject({ attempt: 2, disruptions: 1 });
});
