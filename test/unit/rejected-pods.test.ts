/** A kubelet that starts no pod says so at once: its refusals must not use up the disruptions of a stage in a minute. */
import { expect, test } from 'vitest';
import type { PipelineRunStatus } from '../../operator/api/status.ts';
import { planRun } from '../../operator/pipelinerun/plan.ts';
import type { Plan } from '../../operator/pipelinerun/types.ts';
import { at, conditionOfJob, jobOf, observedOf, podOf, runOf, stamp } from '../support/plan/observed.ts';

const work = (disruptions: number) => ({
  stages: [{ name: 'work', retry: { disruptions }, container: { image: 'busybox:1', command: ['true'] } }],
});
const begun = (disruptions: number): PipelineRunStatus => ({
  startTime: stamp(0),
  stages: [{ name: 'work', state: 'Provisioning', attempt: 1, startTime: stamp(0), disruptions }],
});
const job = jobOf('work', { status: { conditions: [conditionOfJob('Failed', 'True', 100)] } });

function planAt(seconds: number, reason: string, status = begun(0), allowed = 20): Plan {
  const pod = podOf(job, { status: { phase: 'Failed', reason, message: 'no room' } });
  return planRun(observedOf(runOf(work(allowed), status), { jobs: [job], pods: [pod] }), at(seconds));
}

test.each([
  ['the first', 0, 5],
  ['the fourth', 3, 40],
  ['the fifth', 4, 60],
  ['the twentieth', 19, 60],
])('after %s disruption, a refusal, the next attempt waits', (_which, before, seconds) => {
  const early = planAt(100 + seconds - 1, 'OutOfcpu', begun(before));
  expect(early.actions.map(({ type }) => type)).not.toContain('CreateJob');
  expect(early.status.stages?.[0]).toMatchObject({
    state: 'Provisioning',
    reason: 'Retrying',
    attempt: 1,
    disruptions: before,
    message: expect.stringContaining('no room'),
  });
  expect(early.requeueAfterMs).toBe(1_000);
  const due = planAt(100 + seconds, 'OutOfcpu', early.status);
  expect(due.actions).toContainEqual(expect.objectContaining({ type: 'CreateJob', attempt: 2 }));
  expect(due.status.stages?.[0]).toMatchObject({ attempt: 2, disruptions: before + 1 });
});

test('after a preemption it does not', () => {
  const plan = planAt(100, 'Preempting');
  expect(plan.actions).toContainEqual(expect.objectContaining({ type: 'CreateJob', attempt: 2 }));
});

test('the last refusal that is allowed ends the stage at once', () => {
  expect(planAt(100, 'OutOfcpu', begun(2), 2).status.stages?.[0]).toMatchObject({ state: 'Failed' });
});
