/** What is a run's among what bears its label. */
import { describe, expect, test } from 'vitest';
import { jobName, LABEL } from '../../operator/api/names.ts';
import { systemClock } from '../../operator/kube/clock.ts';
import { createKubeClient } from '../../operator/kube/http-client.ts';
import type { Job, Pod } from '../../operator/kube/types.ts';
import { RunCaches } from '../../operator/pipelinerun/caches.ts';
import { isOurPod } from '../../operator/pipelinerun/ours.ts';
import { jobOf, podOf, runOf } from '../support/plan/observed.ts';

const long = 'stageofatleasttwentyletters';
const run = runOf({ stages: [{ name: long }] }, undefined, { name: 'runofatleasttwentyletters' });
/** 53 characters. */
const job = jobName(run.metadata, long, 12);

function pod(name: string, more: Partial<Pod['metadata']> = {}): Pod {
  const made = podOf(jobOf(long, { attempt: 12 }), { name });
  return { ...made, metadata: { ...made.metadata, ...more } };
}
const owner = (name: string, kind = 'Job', controller = true): Partial<Pod['metadata']> => ({
  ownerReferences: [{ apiVersion: 'batch/v1', kind, name, uid: 'any', controller }],
});
const alone: Partial<Pod['metadata']> = { ownerReferences: [] };

describe('a pod with the labels of a run', () => {
  test.each<[string, Pod]>([
    ['its controller has the name of the Job of that attempt', pod('x', owner(job))],
    ['it has lost its controller, and has the name of a pod of that Job', pod(`${job}-0-ab1cd`, alone)],
    [
      'the same, with a name that was too long for the Job controller',
      pod(`${job.slice(0, 51)}-12345-ab1cd`, alone),
    ],
  ])("is the run's when %s", (_why, given) => {
    expect(isOurPod(given, run)).toBe(true);
  });

  test.each<[string, Pod]>([
    ['somebody made it by hand', pod('debug', alone)],
    ['it has the controller of somebody else', pod(`${job}-0-ab1cd`, owner('theirs'))],
    ['its controller is no Job', pod('x', owner(job, 'ReplicaSet'))],
    ['the Job is not its controller', pod('x', owner(job, 'Job', false))],
    ['its name only begins like that of a pod of the Job', pod(`${job}-copy`, alone)],
    [
      'it is of another attempt than it says',
      pod('x', { ...owner(job), labels: { [LABEL.stage]: long, [LABEL.attempt]: '1' } }),
    ],
  ])('is not when %s', (_why, given) => {
    expect(isOurPod(given, run)).toBe(false);
  });
});

describe('the run that news of an object is for', () => {
  const bed = (cached: Job[] = []) => {
    const access = { server: 'http://127.0.0.1:1', namespace: 'data', authorization: async () => undefined };
    const client = createKubeClient({ access, userAgent: 'test/0' });
    const caches = new RunCaches({ client, clock: systemClock });
    for (const known of cached) caches.jobs.upsert(known);
    return caches;
  };
  const without = <T extends Job | Pod>(object: T): T => ({
    ...object,
    metadata: { ...object.metadata, labels: {} },
  });
  const made = jobOf('work');

  test('is the owner of a Job, whatever its labels say', () => {
    expect(bed().runUIDOf(without(made))).toBe('run-uid');
  });

  test('is the owner of the Job of a pod', () => {
    expect(bed([without(made)]).runUIDOf(without(podOf(made)))).toBe('run-uid');
  });

  test('is what the label says where the Job is not known', () => {
    expect(bed().runUIDOf(podOf(made))).toBe('run-uid');
    expect(bed().runUIDOf(without(podOf(made)))).toBeUndefined();
  });
});
