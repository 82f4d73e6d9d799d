/** Jobs, pods and observations for tests of the plan, which is pure. Only what a test is about has to be said. */
import { API_VERSION, FINALIZER, jobName, KIND } from '../../../operator/api/names.ts';
import type { PipelineRunSpec } from '../../../operator/api/pipelinerun.ts';
import type { PipelineRunStatus } from '../../../operator/api/status.ts';
import type { PipelineRun } from '../../../operator/api/types.ts';
import type { Job, JobSpec, JobStatus, Pod, PodStatus } from '../../../operator/kube/types.ts';
import { attemptLabels } from '../../../operator/pipelinerun/ours.ts';
import type { Observed } from '../../../operator/pipelinerun/types.ts';

export const START = Date.parse('2026-01-01T00:00:00Z');

/** So many seconds after the start of the run. */
export const at = (seconds: number): Date => new Date(START + seconds * 1000);
export const stamp = (seconds: number): string => `${at(seconds).toISOString().slice(0, 19)}Z`;

/** Of whom everything is that a test does not say is of somebody else. */
const RUN = { name: 'nightly', uid: 'run-uid' };

export function runOf(
  spec: PipelineRunSpec,
  status?: PipelineRunStatus,
  metadata: Partial<PipelineRun['metadata']> = {},
): PipelineRun {
  return {
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: {
      ...RUN,
      namespace: 'data',
      generation: 1,
      resourceVersion: '7',
      creationTimestamp: stamp(0),
      finalizers: [FINALIZER],
      ...metadata,
    },
    spec,
    ...(status ? { status } : {}),
  };
}

export interface JobInput {
  attempt?: number;
  created?: number;
  spec?: Partial<JobSpec>;
  status?: JobStatus;
  deleted?: number;
  annotations?: Record<string, string>;
}

export function jobOf(stage: string, input: JobInput = {}): Job {
  const { attempt = 1, created = 0, spec, status, deleted, annotations } = input;
  const uid = `job-${stage}-${attempt}`;
  return {
    metadata: {
      name: jobName(RUN, stage, attempt),
      namespace: 'data',
      uid,
      labels: attemptLabels({ metadata: RUN }, stage, attempt),
      ...(annotations === undefined ? {} : { annotations }),
      creationTimestamp: stamp(created),
      ...(deleted === undefined ? {} : { deletionTimestamp: stamp(deleted) }),
      ownerReferences: [{ apiVersion: API_VERSION, kind: KIND, ...RUN, controller: true }],
    },
    spec: { completions: 1, parallelism: 1, template: {}, ...spec },
    ...(status ? { status } : {}),
  };
}

export interface PodInput {
  name?: string;
  created?: number;
  status?: PodStatus;
  deleted?: number;
}

export function podOf(job: Job, input: PodInput = {}): Pod {
  const { name = `${job.metadata.uid}-pod`, created = 0, status, deleted } = input;
  return {
    metadata: {
      name,
      namespace: 'data',
      uid: name,
      labels: { ...job.metadata.labels },
      creationTimestamp: stamp(created),
      ...(deleted === undefined ? {} : { deletionTimestamp: stamp(deleted) }),
      ownerReferences: [
        {
          apiVersion: 'batch/v1',
          kind: 'Job',
          name: job.metadata.name ?? '',
          uid: job.metadata.uid ?? '',
          controller: true,
        },
      ],
    },
    spec: { containers: [], nodeName: 'node-a' },
    status: status ?? { phase: 'Pending', conditions: [] },
  };
}

const scheduled = (seconds: number): NonNullable<PodStatus['conditions']> => [
  { type: 'PodScheduled', status: 'True', lastTransitionTime: stamp(seconds) },
];

/** A pod whose work runs since so many seconds. */
export function running(since: number, container = 'main'): PodStatus {
  return {
    phase: 'Running',
    conditions: scheduled(since),
    containerStatuses: [statusOf(container, { running: { startedAt: stamp(since) } })],
  };
}

/** A pod whose work ended. */
export function ended(from: number, to: number, exitCode: number, container = 'main'): PodStatus {
  const terminated = { exitCode, startedAt: stamp(from), finishedAt: stamp(to) };
  return {
    phase: exitCode === 0 ? 'Succeeded' : 'Failed',
    conditions: scheduled(from),
    containerStatuses: [statusOf(container, { terminated })],
  };
}

function statusOf(
  name: string,
  state: NonNullable<NonNullable<PodStatus['containerStatuses']>[number]['state']>,
): NonNullable<PodStatus['containerStatuses']>[number] {
  return { name, state, image: 'busybox:1', imageID: '', ready: false, restartCount: 0 };
}

export const conditionOfJob = (
  type: string,
  status: 'True' | 'False',
  seconds = 0,
  reason = type,
): NonNullable<JobStatus['conditions']>[number] => ({
  type,
  status,
  reason,
  message: '',
  lastTransitionTime: stamp(seconds),
});

export function observedOf(run: PipelineRun, more: Partial<Omit<Observed, 'run'>> = {}): Observed {
  return {
    run,
    jobs: [],
    pods: [],
    lostPods: new Set(),
    reports: new Map(),
    heard: new Set(),
    plans: new Map(),
    progress: new Map(),
    waiting: new Map(),
    nodes: { launched: 0, nodeSeconds: 0 },
    problems: [],
    ...more,
  };
}
