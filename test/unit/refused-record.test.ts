/** A results store that refuses the record of a run: asked again and again, neither all the time nor too late. */
import { describe, expect, test } from 'vitest';
import type { PipelineRunStatus } from '../../operator/api/status.ts';
import { planRun } from '../../operator/pipelinerun/plan.ts';
import { planStored } from '../../operator/pipelinerun/stored.ts';
import type { Plan } from '../../operator/pipelinerun/types.ts';
import { at, observedOf, runOf, stamp } from '../support/plan/observed.ts';

const spec = { stages: [{ name: 'work', container: { image: 'busybox:1', command: ['true'] } }] };
const settings = { commitTimeoutSeconds: 3600 };
const condition = (type: 'Succeeded' | 'LogsStored', status: 'Unknown' | 'False', reason: string) => ({
  type,
  status,
  reason,
  message: '',
  observedGeneration: 1,
  lastTransitionTime: stamp(0),
});
const decided: PipelineRunStatus = {
  startTime: stamp(0),
  stages: [{ name: 'work', state: 'Succeeded' }],
  outcome: { result: 'Succeeded', reason: 'Succeeded', time: stamp(0) },
  conditions: [condition('Succeeded', 'Unknown', 'Committing')],
};

function refusedAt(
  seconds: number,
  {
    status = decided,
    deleted,
    jitter = 0,
    message = 'AccessDenied',
  }: {
    status?: PipelineRunStatus;
    deleted?: number;
    jitter?: number;
    message?: string;
  } = {},
): Plan {
  const metadata = deleted === undefined ? {} : { deletionTimestamp: stamp(deleted) };
  const observed = observedOf(runOf(spec, status, metadata));
  const plan = planRun(observed, at(seconds));
  expect(plan.commit).toBeDefined();
  return planStored(observed, plan, { ok: false, message }, settings, at(seconds), jitter);
}
const waitAt = (...given: Parameters<typeof refusedAt>): number =>
  refusedAt(...given).requeueAfterMs ?? Number.NaN;

describe('the record of a run that is refused', () => {
  test.each([
    ['at first', 0, 1_000],
    ['after a minute', 60, 15_000],
    ['after half an hour', 1800, 30_000],
  ])('%s is tried again later the longer it was', (_when, seconds, ms) => {
    expect(waitAt(seconds)).toBe(ms);
  });

  test('is tried by many runs at many moments', () => {
    const waits = [0, 0.25, 0.5, 0.999].map((jitter) => waitAt(1800, { jitter }));
    expect(waits).toEqual(waits.toSorted((a, b) => a - b));
    expect(new Set(waits).size).toBe(4);
    expect(Math.max(...waits)).toBeLessThan(45_000);
  });

  test('is tried for the last time when the time for it is over, not after it', () => {
    expect(waitAt(3595, { jitter: 0.9 })).toBe(5_000);
    expect(refusedAt(3600).status.completionTime).toBe(stamp(3600));
  });

  test('of a run that is being deleted is tried soon', () => {
    expect(waitAt(100, { deleted: 100 })).toBe(2_000);
    expect(waitAt(124, { deleted: 100 })).toBe(1_000);
  });

  test('is tried on once the run is terminal without it', () => {
    const { status, requeueAfterMs } = refusedAt(3600);
    expect(requeueAfterMs).toBe(60_000);
    const plan = planRun(observedOf(runOf(spec, status)), at(3600));
    expect(waitAt(9_000, { status: plan.status })).toBe(60_000);
  });

  test('waits for the write that says that nothing is left: one pass writes the status once', () => {
    const { status } = refusedAt(3600);
    const plan = planRun(observedOf(runOf(spec, status)), at(3600));
    expect(plan.actions).toEqual([{ type: 'EndLeftovers' }]);
    expect(plan.commit).toBeUndefined();
    const next = planRun(observedOf(runOf(spec, plan.status)), at(3600));
    expect(next.actions).toEqual([]);
    expect(next.status).toEqual(plan.status);
    expect(next.commit).toBeDefined();
  });

  test('is no news each time the store says it in other words: a write would bring the run back at once', () => {
    const first = refusedAt(10, { message: 'AccessDenied (request 1)' });
    const second = refusedAt(20, { status: first.status, message: 'AccessDenied (request 2)' });
    expect(second.status).toEqual(first.status);
  });
});
