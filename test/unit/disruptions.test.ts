/** How many workers a copy has lost is remembered when the pods that say so are gone. */
import { describe, expect, test } from 'vitest';
import { ANNOTATION } from '../../operator/api/names.ts';
import type { PipelineRunStatus, StageStatus } from '../../operator/api/status.ts';
import type { Job, Pod } from '../../operator/kube/types.ts';
import { buildJob } from '../../operator/pipelinerun/job.ts';
import { planRun } from '../../operator/pipelinerun/plan.ts';
import type { Plan } from '../../operator/pipelinerun/types.ts';
import { at, jobOf, observedOf, podOf, runOf, running, stamp } from '../support/plan/observed.ts';

const copy = { source: { bucket: 'a' }, destination: { bucket: 'b' } };
const stage = { name: 'work', retry: { disruptions: 2 }, copy };
const begun: PipelineRunStatus = {
  startTime: stamp(0),
  stages: [{ name: 'work', state: 'Running', attempt: 1, startTime: stamp(0) }],
};

const jobWith = (annotations: Record<string, string> = {}): Job => jobOf('work', { annotations });
const evicted = (name: string): Pod =>
  podOf(jobOf('work'), { name, status: { phase: 'Failed', reason: 'Evicted' } });
const alive = (name: string): Pod => podOf(jobOf('work'), { name, status: running(10, 'copy') });

function plan(job: Job, pods: Pod[], { status = begun, lost = [] as string[] } = {}): Plan {
  const run = runOf({ stages: [stage] }, status);
  return planRun(observedOf(run, { jobs: [job], pods, lostPods: new Set(lost) }), at(100));
}
const first = ({ status }: Plan): StageStatus | undefined => status.stages?.[0];
const noted = (made: Plan) => made.actions.find(({ type }) => type === 'NoteDisrupted');

describe('the workers that a copy has lost', () => {
  test('are noted on its Job once', () => {
    const made = plan(jobWith(), [evicted('pod-one-1'), alive('pod-two-2')]);
    expect(noted(made)).toMatchObject({ uid: 'job-work-1', pods: ['pod-one-'] });
    expect(first(made)).toMatchObject({ state: 'Running', disruptions: 1 });
    const again = plan(jobWith({ [ANNOTATION.disrupted]: 'pod-one-' }), [
      evicted('pod-one-1'),
      alive('pod-two-2'),
    ]);
    expect(noted(again)).toBeUndefined();
    expect(first(again)).toMatchObject({ disruptions: 1 });
  });

  test('are still counted when their pods are gone, by an operator that never saw them too', () => {
    const made = plan(jobWith({ [ANNOTATION.disrupted]: 'pod-one-' }), [
      evicted('pod-two-2'),
      alive('pod-thr-3'),
    ]);
    expect(noted(made)).toMatchObject({ pods: ['pod-one-', 'pod-two-'] });
    expect(first(made)).toMatchObject({ disruptions: 2 });
  });

  test('are noted before the operator deletes them with their node', () => {
    const made = plan(jobWith(), [alive('pod-one-1')], { lost: ['pod-one-1'] });
    expect(made.actions.map(({ type }) => type)).toEqual(['NoteDisrupted', 'ReleasePod']);
    expect(first(made)).toMatchObject({ disruptions: 1 });
  });

  test('may be as many as retry.disruptions allows for each of its workers', () => {
    const lost = { [ANNOTATION.disrupted]: 'pod-one- pod-two- pod-thr- pod-fou-' };
    const pods = [evicted('pod-fiv-5'), alive('pod-six-6')];
    const three = jobOf('work', { annotations: lost, spec: { completions: 3, parallelism: 3 } });
    expect(first(plan(three, pods))).toMatchObject({ state: 'Running', disruptions: 5 });
    const two = jobOf('work', { annotations: lost, spec: { completions: 2, parallelism: 2 } });
    expect(first(plan(two, pods))).toMatchObject({
      state: 'Failed',
      message: 'lost 5 workers to the cluster; retry.disruptions allows 4',
    });
  });

  test('end the stage when there are more than retry.disruptions allows', () => {
    const made = plan(jobWith({ [ANNOTATION.disrupted]: 'pod-one- pod-two-' }), [
      evicted('pod-thr-3'),
      alive('pod-fou-4'),
    ]);
    expect(first(made)).toMatchObject({ state: 'Failed', reason: 'Preempted', disruptions: 3 });
  });

  test('are noted within what an annotation holds: more would be refused, and with it all else that the run needs', () => {
    const many = Array.from({ length: 20_000 }, (_, index) => String(index).padStart(8, '0')).join(' ');
    const spec = { completions: 20_000, parallelism: 20_000 };
    const pods = [evicted('pod-one-1'), evicted('pod-two-2'), alive('pod-thr-3')];
    const full = plan(jobOf('work', { annotations: { [ANNOTATION.disrupted]: many }, spec }), pods);
    expect(noted(full)).toBeUndefined();
    expect(first(full)).toMatchObject({ state: 'Running', disruptions: 20_002 });
    const nearly = jobOf('work', { annotations: { [ANNOTATION.disrupted]: many.slice(9) }, spec });
    const note = noted(plan(nearly, pods));
    expect(note?.type === 'NoteDisrupted' && note.pods.length).toBe(20_000);
  });

  test('are within the budget of all workers also when somebody deletes the Job', () => {
    const status = {
      ...begun,
      stages: [{ name: 'work', state: 'Running' as const, attempt: 1, disruptions: 5 }],
    };
    const retried = (workers: number) =>
      planRun(observedOf(runOf({ stages: [{ ...stage, workers }] }, status)), at(100));
    expect(first(retried(3))).toMatchObject({ attempt: 2, disruptions: 6 });
    expect(first(retried(2))).toMatchObject({ state: 'Failed', reason: 'JobDeleted' });
  });

  test('never become fewer', () => {
    const status = {
      ...begun,
      stages: [{ name: 'work', state: 'Running' as const, attempt: 1, disruptions: 2 }],
    };
    expect(first(plan(jobWith(), [alive('pod-one-1')], { status }))).toMatchObject({ disruptions: 2 });
  });
});

test('the Job of the next attempt says how many the stage had lost before', () => {
  const run = runOf({ stages: [stage] });
  const settings = {
    image: 'e:1',
    apiURL: 'https://10.0.0.1',
    apiServerName: 'e',
    apiCA: 'PEM',
    copyWorkerShare: 4_000,
  };
  const attempt = { run, stage, attempt: 2, activeSeconds: 0 };
  expect(buildJob({ ...attempt, disruptions: 0 }, settings).metadata.annotations).toBeUndefined();
  const { annotations } = buildJob({ ...attempt, disruptions: 1 }, settings).metadata;
  const made = plan(jobWith(annotations), [evicted('pod-one-1'), alive('pod-two-2')]);
  expect(first(made)).toMatchObject({ disruptions: 2 });
});
