/** What is a run's among what bears its label. */
import { describe, expect, test } from 'vitest';
import { jobName, LABEL } from '../../operator/api/names.ts';
import { systemClock } from '../../operator/kube/clock.ts';
import { createKubeClient } from '../../operator/kube/http-client.ts';
import type { Job, Pod } from '../../operator/kube/types.ts';
import { RunCaches } from '../../operator/pipelinerun/caches.ts';
import {
  attemptLabels,
  isWhole,
  jobNamesOf,
  lossesOf,
  ownerOf,
  placeOf,
} from '../../operator/pipelinerun/ours.ts';
import { jobOf, podOf, runOf } from '../support/plan/observed.ts';

const long = 'stageofatleasttwentyletters';
const run = runOf({ stages: [{ name: long }] }, undefined, { name: 'runofatleasttwentyletters' });
/** 53 characters. */
const jobAt = (attempt: number): string => jobName(run.metadata, long, attempt);
const job = jobAt(12);

function pod(name: string, more: Partial<Pod['metadata']> = {}): Pod {
  const made = podOf(jobOf(long, { attempt: 12 }), { name });
  return { ...made, metadata: { ...made.metadata, ...more } };
}
const owner = (name: string, kind = 'Job', controller = true): Partial<Pod['metadata']> => ({
  ownerReferences: [{ apiVersion: 'batch/v1', kind, name, uid: 'any', controller }],
});
const alone: Partial<Pod['metadata']> = { ownerReferences: [] };
const labels = { [LABEL.stage]: 'another', [LABEL.attempt]: '2000000000' };
const elsewhere = { namespace: 'theirs' };

describe('a pod', () => {
  test.each<[string, Pod]>([
    ['its controller has the name of the Job of that attempt', pod('x', owner(job))],
    ['the same, whatever its labels say', pod('x', { ...owner(job), labels })],
    ['the same, without labels', pod('x', { ...owner(job), labels: {} })],
    ['it has lost its controller, and has the name of a pod of that Job', pod(`${job}-0-ab1cd`, alone)],
    [
      'the same, with a name that was too long for the Job controller',
      pod(`${job.slice(0, 51)}-12345-ab1cd`, alone),
    ],
  ])("is the run's when %s", (_why, given) => {
    expect(placeOf(given, run)).toEqual({ stage: long, attempt: 12 });
  });

  test.each<[string, Pod]>([
    ['somebody made it by hand', pod('debug', alone)],
    ['it has the controller of somebody else', pod(`${job}-0-ab1cd`, owner('theirs'))],
    ['its controller is no Job', pod('x', owner(job, 'ReplicaSet'))],
    ['the Job is not its controller', pod('x', owner(job, 'Job', false))],
    ['its name only begins like that of a pod of the Job', pod(`${job}-copy`, alone)],
    ['it is in another namespace', pod('x', { ...owner(job), ...elsewhere })],
    ['the same without a controller', pod(`${job}-0-ab1cd`, { ...alone, ...elsewhere })],
    ['there can be no such attempt', pod('x', owner(jobAt(22)))],
  ])('is not when %s', (_why, given) => {
    expect(placeOf(given, run)).toBeUndefined();
  });
});

describe('a Job', () => {
  const made = (name: string, more: Partial<Job['metadata']> = {}): Job => {
    const given = jobOf(long, { attempt: 12 });
    return { ...given, metadata: { ...given.metadata, name, ...more } };
  };

  test("is the run's by its name and its controller, whatever its labels say", () => {
    expect(placeOf(made(job, { labels }), run)).toEqual({ stage: long, attempt: 12 });
  });

  test.each<[string, Job]>([
    ['another name', made('mine')],
    ['the name of a pod of the run', made(`${job}-0-ab1cd`)],
    ['no controller', made(job, alone)],
    ['the controller of somebody else', made(job, owner('theirs', 'CronJob'))],
    ['another namespace', made(job, elsewhere)],
    ['an attempt that there cannot be', made(jobAt(22))],
  ])('with %s is not', (_what, given) => {
    expect(placeOf(given, run)).toBeUndefined();
  });

  test('that is known to be of another stage is not looked for in this one', () => {
    expect(placeOf(made(job), run, [])).toBeUndefined();
  });

  test('has the attempts of its stage that the spec allows: each failure and each disruption begins one', () => {
    const limited = (failures: number, disruptions: number) =>
      runOf({ stages: [{ name: long, retry: { failures, disruptions } }] }, undefined, run.metadata);
    expect(placeOf(made(jobAt(4)), limited(1, 2))).toMatchObject({ attempt: 4 });
    expect(placeOf(made(jobAt(5)), limited(1, 2))).toBeUndefined();
  });
});

describe('the names of the Jobs of a run', () => {
  const named = (attempt: number | undefined): string[] =>
    jobNamesOf({
      ...run,
      status: { stages: [{ name: long, state: 'Running', ...(attempt === undefined ? {} : { attempt }) }] },
    });

  test('are those of the attempts that its status knows, and the next', () => {
    expect(named(undefined)).toEqual([jobAt(1)]);
    expect(named(2)).toEqual([jobAt(1), jobAt(2), jobAt(3)]);
  });

  test('are never more than the spec allows', () => {
    expect(named(21)).toHaveLength(21);
    expect(named(2_000_000_000)).toHaveLength(21);
  });
});

describe('what a Job of the run has lost', () => {
  const { metadata, ...rest } = jobOf(long, { attempt: 12 });
  const due = attemptLabels(run, long, 12);
  /** One that makes its pods with these labels. */
  const jobWith = (more: Partial<Job['metadata']>, labelsOfPods: Record<string, string> = due): Job => ({
    metadata: { ...metadata, name: job, labels: due, ...more },
    spec: { ...rest.spec, template: { metadata: { labels: labelsOfPods } } },
  });
  const lost = (more: Partial<Job['metadata']>) => lossesOf(jobWith(more), run);
  const changed = { ...due, [LABEL.managedBy]: 'platform-team' };

  test('is nothing when all is there', () => {
    expect(lost({})).toEqual({});
  });

  test('is what it was made with', () => {
    expect(lost({ labels: { ...due, [LABEL.attempt]: '7' } })).toEqual({ labels: { [LABEL.attempt]: '12' } });
    expect(lost({ ...alone, labels: {} })).toEqual({ labels: due, ownerReferences: [ownerOf(run)] });
  });

  test('is that, too, when its pods are made without: a policy may have changed both', () => {
    expect(lossesOf(jobWith({ labels: changed }, changed), run)).toEqual({
      labels: { [LABEL.managedBy]: due[LABEL.managedBy] },
    });
  });

  test('is not all: its pods must be watched as well', () => {
    expect(isWhole(jobWith({}), run)).toBe(true);
    expect(isWhole(jobWith({ labels: changed }), run)).toBe(false);
    expect(isWhole(jobWith({}, changed), run)).toBe(false);
  });

  test('is not asked of a Job with another controller', () => {
    expect(lost(owner('theirs', 'CronJob'))).toBeUndefined();
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

  test('is what its label says for a Job that somebody has made its own controller', () => {
    const self = { ...made, metadata: { ...made.metadata, ...owner(made.metadata.name ?? '') } };
    const [reference] = self.metadata.ownerReferences ?? [];
    const itself = reference === undefined ? [] : [{ ...reference, uid: made.metadata.uid ?? '' }];
    const looped = { ...self, metadata: { ...self.metadata, ownerReferences: itself } };
    expect(bed([looped]).runUIDOf(looped)).toBe('run-uid');
    expect(bed([looped]).runUIDOf(podOf(looped))).toBe('run-uid');
  });

  test('is what the label says where the Job is not known', () => {
    expect(bed().runUIDOf(podOf(made))).toBe('run-uid');
    expect(bed().runUIDOf(without(podOf(made)))).toBeUndefined();
  });
});
