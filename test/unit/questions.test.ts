/** What the results store is asked for, and what its answers are good for. */
import { describe, expect, test } from 'vitest';
import type { Stage } from '../../operator/api/pipelinerun.ts';
import type { StageStatus } from '../../operator/api/status.ts';
import type { Job, Pod } from '../../operator/kube/types.ts';
import { silentLogger } from '../../operator/kube/logger.ts';
import { askStore, unansweredOf } from '../../operator/pipelinerun/askstore.ts';
import { attemptRef } from '../../operator/pipelinerun/attempts.ts';
import { planRun } from '../../operator/pipelinerun/plan.ts';
import { questionsOf } from '../../operator/pipelinerun/questions.ts';
import type { Observed } from '../../operator/pipelinerun/types.ts';
import { WorkerFacts } from '../../operator/pipelinerun/workerfacts.ts';
import type { AttemptRef } from '../../operator/results/types.ts';
import type { WorkerManifest } from '../../workers/contract/manifests.ts';
import { ManualClock } from '../support/fakeapi/manual-clock.ts';
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

const copyStage: Stage = {
  name: 'work',
  workers: 2,
  copy: { source: { bucket: 'a' }, destination: { bucket: 'b' } },
};
const plainStage: Stage = { name: 'work', container: { image: 'busybox:1', command: ['true'] } };
const runWith = (stage: Stage, status: Partial<StageStatus> = {}) =>
  runOf(
    { stages: [stage] },
    { startTime: stamp(0), stages: [{ name: 'work', state: 'Running', ...status }] },
  );
const run = runWith(copyStage);

const word = (podUID: string, index: number, attempt: number, code: number): WorkerManifest => ({
  kind: 'worker',
  version: 1,
  run: { uid: 'run-uid', name: 'nightly', namespace: 'data' },
  stage: 'work',
  index,
  attempt,
  podUID,
  podName: podUID,
  startTime: stamp(0),
  endTime: stamp(9),
  exit: { code, started: true },
});

const over = (attempt: number, type: 'Complete' | 'Failed'): Job =>
  jobOf('work', {
    attempt,
    spec: { completions: 2, parallelism: 2 },
    status: { conditions: [conditionOfJob(type, 'True')] },
  });

function bed(stored: readonly WorkerManifest[]) {
  const facts = new WorkerFacts(new ManualClock(), () => undefined);
  const results = {
    findManifest: async () => undefined,
    findManifests: async (_run: unknown, _stage: string, index: number) =>
      stored.filter((manifest) => manifest.index === index),
    findPlan: async () => undefined,
  };
  const clock = new ManualClock();
  const look = async (job: Job): Promise<string[]> => {
    const observed = observedOf(run, {
      jobs: [job],
      reports: facts.reports('run-uid'),
      heard: facts.heard('run-uid'),
    });
    const signal = AbortSignal.timeout(120_000);
    await askStore(run, questionsOf(observed), { facts, results, clock }, silentLogger, signal);
    return [...facts.reports('run-uid').keys()].toSorted();
  };
  return { facts, look };
}

/** The pods about whose last words the store is asked. */
function askedPods(
  stage: Stage,
  status: Partial<StageStatus>,
  more: Partial<Omit<Observed, 'run'>>,
): string[] {
  const questions = questionsOf(observedOf(runWith(stage, status), more));
  return questions.flatMap((question) => (question.about === 'Pod' ? [question.attempt.podUID] : []));
}

describe('the last word of a pod', () => {
  const job = jobOf('work');
  const uid = 'job-work-1-pod';
  const failed = podOf(job, { status: ended(10, 20, 137) });
  const well = podOf(job, { status: ended(10, 20, 0) });
  const open = podOf(job, { status: running(10) });

  test.each<[string, Stage, Partial<Omit<Observed, 'run'>>]>([
    ['one of a copy that ended', copyStage, { pods: [well] }],
    ['one of a copy that failed', copyStage, { pods: [failed] }],
    ['one of any stage that failed', plainStage, { pods: [failed] }],
    ['one whose node is lost', plainStage, { pods: [open], lostPods: new Set([uid]) }],
  ])('is asked for: %s', (_which, stage, more) => {
    expect(askedPods(stage, {}, { jobs: [job], ...more })).toEqual([uid]);
  });

  test.each<[string, Partial<StageStatus>, Partial<Omit<Observed, 'run'>>]>([
    ['one that runs', {}, { pods: [open] }],
    ['one whose success shows by itself', {}, { pods: [well] }],
    ['one that was heard', {}, { pods: [failed], reports: new Map([[uid, word(uid, 0, 1, 0)]]) }],
    ['one of a stage that has ended', { state: 'Failed' }, { pods: [failed] }],
  ])('is not asked for: %s', (_which, status, more) => {
    expect(askedPods(plainStage, status, { jobs: [job], ...more })).toEqual([]);
  });

  test('of the pod whose outputs count is asked for also when it is gone', () => {
    expect(askedPods(plainStage, { admitted: 'gone' }, { jobs: [job], pods: [] })).toEqual(['gone']);
    expect(askedPods(plainStage, { admitted: uid }, { jobs: [job], pods: [open] })).toEqual([]);
  });

  test.each<[string, Partial<Omit<Observed, 'run'>>, string[]]>([
    ['has ended', { pods: [well] }, [uid]],
    ['is lost with its node', { pods: [open], lostPods: new Set([uid]) }, [uid]],
    ['still runs', { pods: [open] }, []],
  ])('of the pod whose outputs count, without its Job, when it %s', (_what, more, asked) => {
    expect(askedPods(plainStage, { admitted: uid }, more)).toEqual(asked);
  });
});

test('the plan of a copy is asked for once its stage is seen to be running, until it is known', () => {
  const asked = (status: Partial<StageStatus>, plans = new Map<string, number>()): boolean =>
    questionsOf(observedOf(runWith(copyStage, status), { plans })).some(({ about }) => about === 'Plan');
  expect(asked({})).toBe(true);
  expect(asked({ state: 'Provisioning' })).toBe(false);
  expect(asked({}, new Map([['work', 2]]))).toBe(false);
});

test('a worker that had failed before it did its part is not taken to have spoken', async () => {
  const { facts, look } = bed([word('second-try', 1, 1, 0)]);
  facts.found('run-uid', word('zero', 0, 1, 0));
  facts.found('run-uid', word('first-try', 1, 1, 12));
  expect(await look(over(1, 'Complete'))).toEqual(['first-try', 'second-try', 'zero']);
});

test('another Job of the stage is asked about anew', async () => {
  const stored = [word('zero', 0, 1, 0), word('one', 1, 1, 12)];
  const { facts, look } = bed(stored);
  expect(await look(over(1, 'Failed'))).toEqual(['one', 'zero']);
  expect(facts.heard('run-uid')).toEqual(new Set(['job-work-1']));
  stored.push(word('zero-again', 0, 2, 0), word('one-again', 1, 2, 0));
  expect(await look(over(2, 'Complete'))).toEqual(['one', 'one-again', 'zero', 'zero-again']);
  expect(facts.heard('run-uid')).toEqual(new Set(['job-work-1', 'job-work-2']));
});

describe('a store that takes too long', () => {
  const both = runOf(
    { stages: ['slow', 'other'].map((name) => ({ ...plainStage, name })) },
    { startTime: stamp(0), stages: ['slow', 'other'].map((name) => ({ name, state: 'Running' as const })) },
  );
  const jobs = ['slow', 'other'].map((name) =>
    jobOf(name, { status: { conditions: [conditionOfJob('Failed', 'True', 20)] } }),
  );
  const pods = jobs.map((job) => podOf(job, { status: ended(10, 20, 137) }));
  const [slow, other] = pods.map((pod) => pod.metadata.uid ?? '');

  /** Asks; while `hangs`, the store says nothing about the pod of the first stage until it is given up. */
  function twoStages() {
    const clock = new ManualClock();
    const facts = new WorkerFacts(clock, () => undefined);
    const asked: string[] = [];
    const fate = { hangs: true };
    const results = {
      findManifest: async ({ podUID, stage }: AttemptRef, signal: AbortSignal) => {
        asked.push(podUID);
        if (fate.hangs && podUID === slow) {
          await clock.advance(5_000);
          signal.throwIfAborted();
        }
        return podUID === other ? { ...word(podUID, 0, 1, 0), stage } : undefined;
      },
      findManifests: async () => [],
      findPlan: async () => undefined,
    };
    const observed = () => observedOf(both, { jobs, pods, reports: facts.reports('run-uid') });
    const ask = async (): Promise<ReadonlySet<string>> => {
      const deps = { facts, results, clock };
      const questions = questionsOf(observed());
      await askStore(both, questions, deps, silentLogger, AbortSignal.timeout(120_000));
      return new Set(unansweredOf(both, questions, facts).keys());
    };
    return { fate, asked, ask };
  }

  test('is asked next time what it was not asked, and does not answer for what it was', async () => {
    const { ask, asked } = twoStages();
    expect(await ask()).toEqual(new Set(['slow', 'other']));
    expect(asked).toEqual([slow]);
    expect(await ask()).toEqual(new Set(['slow']));
    expect(asked).toEqual([slow, other]);
  });

  test('has answered also when it knows nothing', async () => {
    const { fate, ask } = twoStages();
    fate.hangs = false;
    expect(await ask()).toEqual(new Set());
    expect(await ask()).toEqual(new Set());
  });

  test('holds back the failure of a stage, of which a worker may have left its success, but not for ever', () => {
    const unanswered = new Map([['slow', at(20).getTime()]]);
    const states = (seconds: number): (string | undefined)[] => {
      const plan = planRun({ ...observedOf(both, { jobs, pods }), unanswered }, at(seconds));
      return plan.status.stages?.map(({ state }) => state) ?? [];
    };
    expect(states(21)).toEqual(['Running', 'Failed']);
    expect(states(79)).toEqual(['Running', 'Failed']);
    expect(states(80)).toEqual(['Failed', 'Failed']);
  });

  test('is asked again soon', () => {
    const unanswered = new Map([['slow', at(20).getTime()]]);
    const plan = planRun({ ...observedOf(both, { jobs, pods }), unanswered }, at(21));
    expect(plan.requeueAfterMs).toBeLessThanOrEqual(10_000);
  });
});

test('an answer is wanted from the moment on at which there is a question, asked or not, until there is one', async () => {
  const clock = new ManualClock();
  const facts = new WorkerFacts(clock, () => undefined);
  const gone = runWith(plainStage, { admitted: 'gone' });
  const questions = questionsOf(observedOf(gone));
  const begun = clock.now().getTime();
  expect(unansweredOf(gone, questions, facts)).toEqual(new Map([['work', begun]]));
  await clock.advance(20_000);
  expect(unansweredOf(gone, questions, facts)).toEqual(new Map([['work', begun]]));
  const results = {
    findManifest: async () => undefined,
    findManifests: async () => [],
    findPlan: async () => undefined,
  };
  await askStore(gone, questions, { facts, results, clock }, silentLogger, AbortSignal.timeout(120_000));
  expect(unansweredOf(gone, questions, facts)).toEqual(new Map());
});

describe('a pod of which the store has nothing', () => {
  const job = jobOf('work');
  const uid = 'job-work-1-pod';
  const dead = podOf(job, { status: ended(10, 20, 137) });
  const open = podOf(job, { status: running(10) });

  function world() {
    const clock = new ManualClock();
    const facts = new WorkerFacts(clock, () => undefined);
    const fate = { broken: false };
    const asked: string[] = [];
    const results = {
      findManifest: async ({ podUID }: AttemptRef) => {
        asked.push(podUID);
        if (fate.broken) throw new Error('the store says 503');
        return undefined;
      },
      findManifests: async () => [],
      findPlan: async () => undefined,
    };
    /** How often the store was asked about it by now; some time passes. */
    const look = async (pod: Pod): Promise<number> => {
      await clock.advance(20_000);
      const observed = observedOf(runWith(plainStage), {
        jobs: [job],
        pods: [pod],
        lostPods: new Set([uid]),
      });
      const questions = questionsOf(observed);
      await askStore(run, questions, { facts, results, clock }, silentLogger, AbortSignal.timeout(120_000));
      return asked.length;
    };
    return { fate, look };
  }

  test('is asked about once when it has ended', async () => {
    const { look } = world();
    expect([await look(dead), await look(dead)]).toEqual([1, 1]);
  });

  test('is asked about again when the store could not say so', async () => {
    const { fate, look } = world();
    fate.broken = true;
    expect(await look(dead)).toBe(1);
    fate.broken = false;
    expect([await look(dead), await look(dead)]).toEqual([2, 2]);
  });

  test('is asked about again while it may still leave something, and when it has ended then', async () => {
    const { look } = world();
    expect([await look(open), await look(open), await look(dead), await look(dead)]).toEqual([1, 2, 3, 3]);
  });
});

test('single pods are asked about before whole Jobs, whose answers take longer', async () => {
  const clock = new ManualClock();
  const asked: string[] = [];
  const results = {
    findManifest: async ({ podUID }: AttemptRef) => {
      asked.push(podUID);
      return undefined;
    },
    findManifests: async (_run: unknown, stage: string) => {
      asked.push(`workers of ${stage}`);
      return [];
    },
    findPlan: async () => undefined,
  };
  const job = jobOf('last');
  const attempt = attemptRef(runOf({ stages: [{ ...plainStage, name: 'last' }] }), podOf(job));
  if (!attempt) throw new Error('no attempt');
  const questions = [
    { about: 'Workers' as const, stage: 'work', job: 'job', indexes: [0] },
    { about: 'Pod' as const, attempt, ended: true },
  ];
  const deps = { facts: new WorkerFacts(clock, () => undefined), results, clock };
  await askStore(run, questions, deps, silentLogger, AbortSignal.timeout(120_000));
  expect(asked).toEqual([attempt.podUID, 'workers of work']);
});
