/** A pod that should have ended and does not: its run comes to an end all the same. */
import { describe, expect, test } from 'vitest';
import type { PipelineRunStatus, StageStatus } from '../../operator/api/status.ts';
import type { Pod } from '../../operator/kube/types.ts';
import { planRun } from '../../operator/pipelinerun/plan.ts';
import type { Plan } from '../../operator/pipelinerun/types.ts';
import { at, jobOf, observedOf, podOf, runOf, running, stamp } from '../support/plan/observed.ts';

const container = { image: 'busybox:1', command: ['true'] };
const statusOf = (stage: Partial<StageStatus>, more: PipelineRunStatus = {}): PipelineRunStatus => ({
  startTime: stamp(0),
  stages: [{ name: 'work', state: 'Running', attempt: 1, startTime: stamp(0), ...stage }],
  ...more,
});
const job = jobOf('work', { spec: { suspend: true } });

describe('the record of a run whose outcome is decided', () => {
  const canceled = statusOf(
    { state: 'Canceled' },
    {
      outcome: { result: 'Canceled', reason: 'Canceled', time: stamp(90) },
      conditions: [
        {
          type: 'Succeeded',
          status: 'Unknown',
          reason: 'Committing',
          message: '',
          observedGeneration: 1,
          lastTransitionTime: stamp(90),
        },
      ],
    },
  );
  const planAt = (seconds: number, pod: Pod): Plan =>
    planRun(
      observedOf(runOf({ stages: [{ name: 'work', container }] }, canceled), { jobs: [job], pods: [pod] }),
      at(seconds),
    );
  const ending = podOf(job, { status: running(10), deleted: 120 });
  const untold = podOf(job, { status: running(10) });

  test('waits for a pod a minute beyond its grace, not for ever', () => {
    const waiting = planAt(130, ending);
    expect(waiting.commit).toBeUndefined();
    expect(waiting.requeueAfterMs).toBe(50_000);
    expect(planAt(180, ending).commit).toBeDefined();
  });

  test('waits for nobody to end the pods of a Job whose controller is not there', () => {
    const waiting = planAt(100, untold);
    expect(waiting).toMatchObject({ actions: [], requeueAfterMs: 50_000 });
    const late = planAt(150, untold);
    expect(late.commit).toBeUndefined();
    expect(late.actions).toMatchObject([{ type: 'DeletePod', uid: 'job-work-1-pod', graceSeconds: 30 }]);
  });
});

test('the next attempt waits for a pod whose Job is gone a minute beyond its grace, not for ever', () => {
  const status = statusOf({ state: 'Finalizing', reason: 'JobDeleted' });
  const pod = podOf(jobOf('work'), { status: running(10), deleted: 130 });
  const planAt = (seconds: number): Plan =>
    planRun(
      observedOf(runOf({ stages: [{ name: 'work', retry: { disruptions: 20 }, container }] }, status), {
        pods: [pod],
      }),
      at(seconds),
    );
  expect(planAt(180)).toMatchObject({ actions: [], requeueAfterMs: 10_000 });
  expect(planAt(190).actions).toMatchObject([{ type: 'ConfirmJobGone' }, { type: 'CreateJob', attempt: 2 }]);
});
