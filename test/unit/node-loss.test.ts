/** A pod on a dead node is released and gone at once; its Job only says that it was disrupted. The run still says NodeLost. */
import { expect, test } from 'vitest';
import { planRun } from '../../operator/pipelinerun/plan.ts';
import type { PipelineRunStatus } from '../../operator/api/status.ts';
import type { Observed, Plan } from '../../operator/pipelinerun/types.ts';
import {
  at,
  conditionOfJob,
  jobOf,
  observedOf,
  podOf,
  runOf,
  running,
  stamp,
} from '../support/plan/observed.ts';

const stage = { name: 'work', container: { image: 'busybox:1', command: ['true'] } };
const initial: PipelineRunStatus = {
  startTime: stamp(0),
  stages: [{ name: 'work', state: 'Running', attempt: 1, startTime: stamp(0) }],
};
const failed = {
  ...conditionOfJob('Failed', 'True', 120, 'PodFailurePolicy'),
  message: 'Pod data/x has condition DisruptionTarget matching FailJob rule at index 0',
};

/** What is planned for a run with this status, its stage allowed so many disruptions. */
function plan(status: PipelineRunStatus, disruptions: number, more: Partial<Omit<Observed, 'run'>>): Plan {
  const run = runOf({ stages: [{ ...stage, retry: { disruptions } }] }, status);
  return planRun(observedOf(run, more), at(120));
}

test('the node is named when its pod is released, while the Job ends, and in the Event of the retry', () => {
  const job = jobOf('work');
  const pod = podOf(job, { status: running(10) });
  const released = plan(initial, 20, { jobs: [job], pods: [pod], lostPods: new Set(['job-work-1-pod']) });
  expect(released.actions.map(({ type }) => type)).toEqual(['ReleasePod']);
  expect(released.status.stages?.[0]).toMatchObject({ reason: 'NodeLost' });
  expect(released.status.stages?.[0]?.message).toContain('node-a');

  const between = plan(released.status, 20, { jobs: [job] });
  expect(between.status.stages?.[0]).toMatchObject({ reason: 'NodeLost' });

  const over = jobOf('work', { status: { conditions: [failed] } });
  const retried = plan(between.status, 20, { jobs: [over] });
  expect(retried.status.stages?.[0]).toMatchObject({ attempt: 2, disruptions: 1, failures: 0 });
  expect(retried.events.map(({ note }) => note).join()).toMatch(/NodeLost.*node-a/);

  const spent = plan(between.status, 0, { jobs: [over] });
  expect(spent.status.stages?.[0]).toMatchObject({ state: 'Failed', reason: 'NodeLost' });
});

test('a disruption without a dead node is a preemption', () => {
  const over = jobOf('work', { status: { conditions: [failed] } });
  const spent = plan(initial, 0, { jobs: [over] });
  expect(spent.status.stages?.[0]).toMatchObject({ state: 'Failed', reason: 'Preempted' });
});
