/** What holds for the plan whatever the cluster looks like. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PipelineRunSpec } from '../../operator/api/pipelinerun.ts';
import {
  isTerminal,
  MAX_MESSAGE_BYTES,
  type PipelineRunStatus,
  type StageStatus,
  STAGE_STATES,
} from '../../operator/api/status.ts';
import type { Job, Pod, PodStatus } from '../../operator/kube/types.ts';
import { planStored } from '../../operator/pipelinerun/stored.ts';
import { planRun } from '../../operator/pipelinerun/plan.ts';
import { difference } from '../../operator/pipelinerun/status.ts';
import { MAX_STATUS_BYTES } from '../../operator/pipelinerun/text.ts';
import type { Action, Observed, Plan } from '../../operator/pipelinerun/types.ts';
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

const settings = { commitTimeoutSeconds: 3600 };
const NOW = 2_000;

/** Words of others: long, quoted, in any script. */
const words = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.constant('"\\'.repeat(300)),
  fc.constant('ノードがありません'.repeat(60)),
  fc.constant('a\u0000b\n\u2028c\uD800'),
);

const container = { image: 'busybox:1', command: ['true'] };
const copy = { source: { bucket: 'a' }, destination: { bucket: 'b' } };

/** A graph: a stage depends on stages before it. */
const spec: fc.Arbitrary<PipelineRunSpec> = fc
  .record({
    kinds: fc.array(fc.constantFrom<'copy' | 'train' | 'container'>('copy', 'train', 'container'), {
      minLength: 1,
      maxLength: 8,
    }),
    edges: fc.array(fc.tuple(fc.nat(7), fc.nat(7)), { maxLength: 12 }),
    retry: fc.option(fc.record({ failures: fc.nat(3), disruptions: fc.nat(3) }), { nil: undefined }),
    suspend: fc.option(fc.boolean(), { nil: undefined }),
    cancel: fc.option(fc.boolean(), { nil: undefined }),
    ttlSecondsAfterFinished: fc.option(fc.nat(10_000), { nil: undefined }),
  })
  .map(({ kinds, edges, retry, ...rest }) => ({
    ...rest,
    stages: kinds.map((kind, index) => ({
      name: `s${index}`,
      dependsOn: [
        ...new Set(edges.flatMap(([from, to]) => (to === index && from < index ? [`s${from}`] : []))),
      ],
      ...(retry ? { retry } : {}),
      ...(kind === 'copy' ? { copy } : kind === 'train' ? { train: container } : { container }),
    })),
  }));

const seconds = fc.integer({ min: 0, max: NOW });

const podStatus = (name: string): fc.Arbitrary<PodStatus> =>
  fc.oneof(
    fc.constant<PodStatus>({ phase: 'Pending' }),
    seconds.map((since): PodStatus => ({ ...running(since, name), containerStatuses: [] })),
    seconds.map((since) => running(since, name)),
    fc
      .tuple(seconds, fc.nat(100), fc.constantFrom(0, 1, 10, 137, 143))
      .map(([from, took, code]) => ended(from, from + took, code, name)),
    fc
      .tuple(seconds, fc.nat(100), fc.constantFrom(0, 1))
      .map(
        ([from, took, code]): PodStatus => ({ ...ended(from, from + took, code, name), phase: 'Running' }),
      ),
    fc
      .tuple(fc.constantFrom('DeadlineExceeded', 'Evicted', 'NodeLost'), words)
      .map(([reason, message]): PodStatus => ({ phase: 'Failed', reason, message })),
  );

interface Children {
  jobs: Job[];
  pods: Pod[];
}

const jobConditions = fc.array(
  fc
    .tuple(
      fc.constantFrom('Complete', 'Failed', 'FailureTarget', 'Suspended'),
      fc.constantFrom<'True' | 'False'>('True', 'False'),
      seconds,
      words,
    )
    .map(([type, status, when, message]) => ({ ...conditionOfJob(type, status, when), message })),
  { maxLength: 2 },
);

/** Jobs and pods of one stage, possible or not. */
const childrenOf = (stage: string, work: string): fc.Arbitrary<Children> =>
  fc
    .array(
      fc.record({
        created: seconds,
        started: fc.option(seconds, { nil: undefined }),
        suspend: fc.boolean(),
        deleted: fc.option(seconds, { nil: undefined }),
        conditions: jobConditions,
        pods: fc.array(
          fc.record({
            status: podStatus(work),
            created: seconds,
            deleted: fc.option(seconds, { nil: undefined }),
          }),
          { maxLength: 3 },
        ),
      }),
      { maxLength: 3 },
    )
    .map((attempts) => {
      const made = attempts.map(({ created, started, suspend, deleted, conditions, pods }, index) => {
        const status = { conditions, ...(started === undefined ? {} : { startTime: stamp(started) }) };
        const job = jobOf(stage, {
          attempt: index + 1,
          created,
          spec: { suspend },
          status,
          ...(deleted === undefined ? {} : { deleted }),
        });
        return {
          job,
          pods: pods.map((pod, number) =>
            podOf(job, {
              name: `${job.metadata.uid}-${number}`,
              created: pod.created,
              status: pod.status,
              ...(pod.deleted === undefined ? {} : { deleted: pod.deleted }),
            }),
          ),
        };
      });
      return { jobs: made.map(({ job }) => job), pods: made.flatMap(({ pods }) => pods) };
    });

const stageStatus = (name: string): fc.Arbitrary<StageStatus> =>
  fc.record(
    {
      name: fc.constant(name),
      state: fc.constantFrom(...STAGE_STATES),
      reason: fc.constantFrom('Working', 'Suspended', 'PodCreationRefused', 'Error', 'WaitingForNode'),
      attempt: fc.integer({ min: 1, max: 4 }),
      failures: fc.nat(3),
      disruptions: fc.nat(3),
      activeSeconds: fc.nat(90_000),
      admitted: fc.constantFrom('job-s0-1-0', 'somebody'),
      refusedSince: seconds.map(stamp),
      startTime: seconds.map(stamp),
    },
    { requiredKeys: ['name', 'state'] },
  );

/** A run anywhere in its life, with whatever the cluster shows for it. */
const observation: fc.Arbitrary<Observed> = spec.chain((runSpec) => {
  const { stages } = runSpec;
  const children = fc.tuple(...stages.map((stage) => childrenOf(stage.name, stage.copy ? 'copy' : 'main')));
  const statuses = fc.tuple(...stages.map(({ name }) => stageStatus(name)));
  return fc
    .record({
      children,
      statuses: fc.option(statuses, { nil: undefined }),
      deleted: fc.boolean(),
      finalizers: fc.constantFrom<string[]>([], ['ebbflow.dev/commit'], ['example.org/mine']),
      lost: fc.boolean(),
      problems: fc.array(words, { maxLength: 2 }),
      waiting: words,
    })
    .map(({ children: all, statuses: known, deleted, finalizers, lost, problems, waiting }) => {
      const jobs = all.flatMap((one) => one.jobs);
      const pods = all.flatMap((one) => one.pods);
      const status = known && { startTime: stamp(0), stages: known };
      const run = runOf(runSpec, status, {
        finalizers,
        ...(deleted ? { deletionTimestamp: stamp(1_000) } : {}),
      });
      return observedOf(run, {
        jobs,
        pods,
        lostPods: new Set(lost ? pods.map(({ metadata }) => metadata.uid ?? '') : []),
        problems: known ? [] : problems,
        waiting: new Map(
          stages.map(({ name }) => [name, { reason: 'WaitingForNode' as const, message: waiting }]),
        ),
      });
    });
});

const plan = (observed: Observed): Plan => planRun(observed, at(NOW));
const withStatus = (observed: Observed, status: PipelineRunStatus): Observed => ({
  ...observed,
  run: { ...observed.run, status },
  problems: [],
});

function messagesOf(status: PipelineRunStatus): string[] {
  const all = [
    ...(status.stages ?? []).map(({ message }) => message),
    ...(status.conditions ?? []).map(({ message }) => message),
    status.outcome?.message,
    status.summary?.doing,
    status.summary?.message,
  ];
  return all.filter((message) => message !== undefined);
}

/** Everything about a status that is larger than it may be. */
function oversize(status: PipelineRunStatus): string[] {
  const bytes = Buffer.byteLength(JSON.stringify(status));
  const long = messagesOf(status).filter((message) => Buffer.byteLength(message) > MAX_MESSAGE_BYTES);
  return bytes > MAX_STATUS_BYTES ? [`${bytes} bytes of status`, ...long] : long;
}

/** What the API server would hold, had the plan been carried out as far as Jobs are concerned. */
function carriedOut(observed: Observed, { actions }: Plan): Observed {
  const suspended = new Map(
    actions.flatMap((action) =>
      action.type === 'SuspendJob' || action.type === 'ResumeJob'
        ? [[action.uid, action.type === 'SuspendJob'] as const]
        : [],
    ),
  );
  const jobs = observed.jobs.map((job) => {
    const suspend = suspended.get(job.metadata.uid ?? '');
    return suspend === undefined ? job : { ...job, spec: { ...job.spec, suspend } };
  });
  const created = actions.flatMap((action) =>
    action.type === 'CreateJob' ? [jobOf(action.stage, { attempt: action.attempt, created: NOW })] : [],
  );
  const names = new Set(jobs.map((job) => job.metadata.name));
  // A Job that is there already answers 409 and stays as it is.
  return { ...observed, jobs: [...jobs, ...created.filter((job) => !names.has(job.metadata.name))] };
}

/** Rounds of planning and carrying out until nothing changes any more; undefined if that never comes. */
function roundsToRest(observed: Observed): number | undefined {
  let current = observed;
  // Finding one attempt to be over starts the next, whose state in this world may be over as well.
  for (let round = 0; round < 30; round += 1) {
    const made = plan(current);
    if (difference(current.run.status, made.status) === 'none') return round;
    current = withStatus(carriedOut(current, made), made.status);
  }
  return undefined;
}

/** What is followed by news: of a Job that begins or goes on, or of one whose last pod is given up. */
const SETS_IN_MOTION: ReadonlySet<Action['type']> = new Set<Action['type']>([
  'CreateJob',
  'ResumeJob',
  'ReleasePod',
]);

/** Whether something will bring the run on: a time, what the plan has just set in motion, or the Job controller. */
function hasFuture(observed: Observed, made: Plan): boolean {
  if (made.status.outcome || observed.run.spec.suspend === true) return true;
  const open = (made.status.stages ?? []).filter(({ state }) => !isTerminal(state));
  const moving = made.actions.some(({ type }) => SETS_IN_MOTION.has(type));
  const counting = open.some(({ message }) => message === 'the last pod has ended');
  return open.length > 0 && (made.requeueAfterMs !== undefined || moving || counting);
}

const ENDING: ReadonlySet<Action['type']> = new Set<Action['type']>([
  'DeleteJobs',
  'DeletePod',
  'ReleasePod',
  'EndLeftovers',
  'RemoveFinalizer',
  'DeleteRun',
]);

describe('the plan of any observation', () => {
  test('never throws, and its status is bounded', () => {
    fc.assert(
      fc.property(observation, (observed) => {
        expect(oversize(plan(observed).status)).toEqual([]);
      }),
    );
  });

  test('never changes a stage that has ended', () => {
    fc.assert(
      fc.property(observation, (observed) => {
        const over = (observed.run.status?.stages ?? []).filter(({ state }) => isTerminal(state));
        expect(plan(observed).status.stages ?? []).toEqual(expect.arrayContaining(over));
      }),
    );
  });

  test('carried out, leads to one that changes nothing any more', () => {
    fc.assert(
      fc.property(observation, (observed) => {
        expect(roundsToRest(observed)).toBeDefined();
      }),
    );
  });

  test('for a run that goes on, leaves something that will bring it on', () => {
    fc.assert(
      fc.property(observation, (observed) => {
        expect(hasFuture(observed, plan(observed))).toBe(true);
      }),
    );
  });
});

describe('the plan of a run whose outcome is decided', () => {
  const decided = observation
    .map((observed) => withStatus(observed, plan(observed).status))
    .filter(({ run }) => run.status?.outcome !== undefined);

  test('keeps outcome and stages, and creates nothing', () => {
    fc.assert(
      fc.property(decided, (observed) => {
        const made = plan(observed);
        expect(made.status).toEqual(observed.run.status);
        const allowed = new Set([...ENDING, 'SuspendJob']);
        expect(made.actions.filter(({ type }) => !allowed.has(type))).toEqual([]);
      }),
    );
  });

  test('only deletes, once the record is stored', () => {
    const record = { ok: true, logsComplete: true, location: 's3://results/x/' } as const;
    fc.assert(
      fc.property(decided, (observed) => {
        const stored = planStored(observed, plan(observed), record, settings, at(NOW), 0);
        expect(oversize(stored.status)).toEqual([]);
        const over = plan(withStatus(observed, stored.status));
        const actions = [...over.actions, ...(over.afterwards ?? [])];
        expect(actions.filter(({ type }) => !ENDING.has(type))).toEqual([]);
        expect(over.commit).toBeUndefined();
      }),
    );
  });
});

describe('the largest status', () => {
  test('of 100 stages that all have much to say stays within its bound', () => {
    const stages = Array.from({ length: 100 }, (_, index) => ({
      name: `${String(index).padStart(3, '0')}${'x'.repeat(60)}`,
      container,
    }));
    const jobs = stages.map(({ name }) => jobOf(name, { created: NOW - 10 }));
    const pods = jobs.map((job) => podOf(job, { created: NOW - 10 }));
    const waiting = new Map(
      stages.map(({ name }) => [name, { reason: 'WaitingForNode' as const, message: '"\\'.repeat(128) }]),
    );
    const known = stages.map(({ name }) => ({
      name,
      state: 'Provisioning' as const,
      attempt: 1,
      failures: 2_000_000_000,
      disruptions: 2_000_000_000,
      activeSeconds: 2_000_000_000,
      admitted: '0'.repeat(36),
      startTime: stamp(0),
      progress: {
        done: 1e15 + 0.3,
        total: 1e15 + 0.3,
        unit: 'u'.repeat(32),
        bytes: 1e15 + 0.3,
        totalBytes: 1e15 + 0.3,
        perSecond: 1e15 + 0.3,
        secondsLeft: 2_000_000_000,
        throttledPercent: 100,
      },
    }));
    const run = runOf({ stages }, { startTime: stamp(0), stages: known });
    const { status } = plan(observedOf(run, { jobs, pods, waiting }));
    expect(status.stages?.map(({ message }) => message?.slice(0, 40))).toEqual(
      stages.map(() => '"\\'.repeat(20)),
    );
    expect(oversize(status)).toEqual([]);
  });
});
