/** Which report of a worker makes its stage a success before the kubelet has said anything. */
import { expect, test } from 'vitest';
import { planRun } from '../../operator/pipelinerun/plan.ts';
import type { Stage } from '../../operator/api/pipelinerun.ts';
import type { StageState, StageStatus } from '../../operator/api/status.ts';
import type { WorkerManifest } from '../../workers/contract/manifests.ts';
import { at, jobOf, observedOf, podOf, runOf, running, stamp } from '../support/plan/observed.ts';

const command = { image: 'busybox:1', command: ['true'] };
const plain: Stage = { name: 'work', container: command };
const storing: Stage = {
  name: 'work',
  container: { ...command, outputs: [{ path: '/out', bucket: 'models' }] },
};
const copying: Stage = { name: 'work', copy: { source: { bucket: 'a' }, destination: { bucket: 'b' } } };

const job = jobOf('work');
const pod = podOf(job, { status: running(10) });
const report: WorkerManifest = {
  kind: 'worker',
  version: 1,
  run: { uid: 'run-uid', name: 'nightly', namespace: 'data' },
  stage: 'work',
  index: 0,
  attempt: 1,
  podUID: 'job-work-1-pod',
  podName: 'job-work-1-pod',
  startTime: stamp(10),
  endTime: stamp(20),
  exit: { code: 0, started: true },
};

function stateOf(stage: Stage, more: Partial<WorkerManifest>, prior: Partial<StageStatus>): StageState {
  const known = { name: 'work', state: 'Running' as const, attempt: 1, startTime: stamp(0), ...prior };
  const run = runOf({ stages: [stage] }, { startTime: stamp(0), stages: [known] });
  const reports = new Map([[report.podUID, { ...report, ...more }]]);
  const { status } = planRun(observedOf(run, { jobs: [job], pods: [pod], reports }), at(21));
  return status.stages?.[0]?.state ?? 'Waiting';
}

test.each<[string, Stage, Partial<WorkerManifest>, Partial<StageStatus>, StageState]>([
  ['without outputs, needs no admission', plain, {}, {}, 'Succeeded'],
  ['that was told to end, whatever its exit code', plain, { message: 'ended by SIGTERM' }, {}, 'Running'],
  ['that could not do its part', plain, { reason: 'OutputFailed' }, {}, 'Running'],
  ['with another exit code', plain, { exit: { code: 1, started: true } }, {}, 'Running'],
  ['with outputs, that was admitted', storing, {}, { admitted: 'job-work-1-pod' }, 'Succeeded'],
  ['with outputs, that was not', storing, {}, {}, 'Running'],
  ['with outputs, beside another that was', storing, {}, { admitted: 'another' }, 'Running'],
  ['of a copy', copying, {}, {}, 'Succeeded'],
])('a worker %s', (_what, stage, more, prior, state) => {
  expect(stateOf(stage, more, prior)).toBe(state);
});

test.each<[string, Partial<StageStatus>, StageState]>([
  ['and had been admitted, is the success of its stage', { admitted: 'job-work-1-pod' }, 'Succeeded'],
  ['and had not been admitted, is not', {}, 'Waiting'],
])(
  'a worker with outputs whose pod ended and went with the suspension of its Job %s',
  (_what, prior, state) => {
    const known = { name: 'work', state: 'Waiting' as const, reason: 'Suspended', attempt: 1, ...prior };
    const suspended = { ...job, spec: { ...job.spec, suspend: true } };
    const run = runOf({ stages: [storing], suspend: true }, { startTime: stamp(0), stages: [known] });
    const observed = observedOf(run, { jobs: [suspended], reports: new Map([[report.podUID, report]]) });
    expect(planRun(observed, at(21)).status.stages?.[0]?.state).toBe(state);
  },
);

test('a worker with outputs that had been admitted is the success of its stage although somebody deleted its Job', () => {
  const known = { name: 'work', state: 'Running' as const, attempt: 1, admitted: report.podUID };
  const run = runOf({ stages: [storing] }, { startTime: stamp(0), stages: [known] });
  const made = planRun(observedOf(run, { reports: new Map([[report.podUID, report]]) }), at(21));
  expect(made.status.stages).toMatchObject([{ state: 'Succeeded', attempt: 1 }]);
});
