/** Last words of copy workers that nobody heard: looked for until each worker of the Job has said that it did its part. */
import { expect, test } from 'vitest';
import { jobs as jobResource, pods as podResource } from '../../operator/kube/resource.ts';
import { Store } from '../../operator/kube/store.ts';
import type { Job, Pod } from '../../operator/kube/types.ts';
import { silentLogger } from '../../operator/kube/logger.ts';
import { findUnreported } from '../../operator/pipelinerun/unreported.ts';
import { WorkerFacts } from '../../operator/pipelinerun/workerfacts.ts';
import type { WorkerManifest } from '../../workers/contract/manifests.ts';
import { ManualClock } from '../support/fakeapi/manual-clock.ts';
import { conditionOfJob, jobOf, runOf, stamp } from '../support/plan/observed.ts';

const run = runOf(
  { stages: [{ name: 'work', copy: { source: { bucket: 'a' }, destination: { bucket: 'b' } } }] },
  { startTime: stamp(0), stages: [{ name: 'work', state: 'Running' }] },
);

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
  const jobs = new Store<Job>({ resource: jobResource });
  const pods = new Store<Pod>({ resource: podResource });
  const facts = new WorkerFacts(new ManualClock(), () => undefined);
  const results = {
    findManifest: async () => undefined,
    findManifests: async (_run: unknown, _stage: string, index: number) =>
      stored.filter((manifest) => manifest.index === index),
  };
  const look = async (job: Job): Promise<string[]> => {
    jobs.upsert(job);
    await findUnreported(run, { jobs, pods, facts, results }, silentLogger, AbortSignal.timeout(10_000));
    return [...facts.reports('run-uid').keys()].toSorted();
  };
  return { facts, look };
}

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
