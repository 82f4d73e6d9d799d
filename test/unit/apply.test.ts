/** Effects on the cluster, against the loopback API server. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FINALIZER, jobName, LABEL } from '../../operator/api/names.ts';
import type { PipelineRunSpec } from '../../operator/api/pipelinerun.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { createKubeClient } from '../../operator/kube/http-client.ts';
import type { Job, Pod } from '../../operator/kube/types.ts';
import { type Applied, applyActions } from '../../operator/pipelinerun/apply.ts';
import type { ApplyDeps } from '../../operator/pipelinerun/effects.ts';
import type { Action } from '../../operator/pipelinerun/types.ts';
import { FakeApi } from '../support/fakeapi/server.ts';
import { at, jobOf, observedOf, podOf, runOf } from '../support/plan/observed.ts';

const RUN = '/apis/ebbflow.dev/v1alpha1/namespaces/data/pipelineruns/nightly';
const JOBS = '/apis/batch/v1/namespaces/data/jobs';
const container = { image: 'busybox:1', command: ['true'] };
const spec: PipelineRunSpec = {
  stages: [
    { name: 'one', container },
    { name: 'two', container },
  ],
};

let api: FakeApi;
let client: KubeClient;

beforeEach(async () => {
  api = new FakeApi();
  await api.start();
  client = createKubeClient({ access: api.access, userAgent: 'test/0' });
});

afterEach(async () => {
  await client.close();
  await api.stop();
});

const create = (stage: string): Action => ({ type: 'CreateJob', stage, attempt: 1, activeSeconds: 0 });

function apply(
  actions: Action[],
  run = runOf(spec),
  {
    jobs = [],
    pods = [],
    deleted = new Map(),
    wrote = () => undefined,
  }: { jobs?: Job[]; pods?: Pod[] } & Partial<Pick<ApplyDeps, 'deleted' | 'wrote'>> = {},
): Promise<Applied> {
  const deps = {
    client,
    pods: {
      image: 'ebbflow:test',
      apiURL: 'https://10.0.0.1:8443',
      apiServerName: 'ebbflow',
      apiCA: 'PEM',
      copyWorkerShare: 4_000,
    },
    now: () => at(0),
    deleted,
    wrote,
    fence: () => undefined,
  };
  return applyActions(actions, observedOf(run, { jobs, pods }), deps, AbortSignal.timeout(120_000));
}

const identity = { name: 'nightly', namespace: 'data', uid: 'run-uid' };
const finalizers = (): string[] | undefined => api.world.get(RUN)?.metadata.finalizers;

describe('a refused Job', () => {
  test('does not keep the Jobs of other stages from being created', async () => {
    const taken = jobName({ name: 'nightly', uid: 'run-uid' }, 'one', 1);
    const theirs = { metadata: { name: taken, namespace: 'data' } };
    api.world.put(`${JOBS}/${taken}`, Object.assign(theirs, { spec: { template: {} } }));
    const { refusals } = await apply([create('one'), create('two')]);
    expect(refusals).toMatchObject([{ stage: 'one', reason: 'JobNameConflict' }]);
    expect(api.world.list(JOBS)).toHaveLength(2);
  });

  test.each([
    [400, 'BadRequest'],
    [403, 'Forbidden'],
  ])('by a webhook that answers %i is tried again until the stage times out', async (code, reason) => {
    api.plan({ on: 'write', fault: { kind: 'status', code, reason } });
    const { refusals } = await apply([create('one'), create('two')]);
    expect(refusals).toMatchObject([{ stage: 'one', reason: 'PodCreationRefused', mayPass: true }]);
    expect(api.world.list(JOBS)).toHaveLength(1);
  });
});

describe('the Job of an attempt', () => {
  const name = jobName({ name: 'nightly', uid: 'run-uid' }, 'one', 1);
  const { labels = {} } = jobOf('one').metadata;
  const made = { spec: { template: { metadata: { labels } } } };
  const put = (more: Partial<Job['metadata']>): void => {
    const owner = {
      apiVersion: 'ebbflow.dev/v1alpha1',
      kind: 'PipelineRun',
      name: 'nightly',
      controller: true,
    };
    const ownerReferences = [{ ...owner, uid: 'run-uid' }];
    const metadata = { name, namespace: 'data', ownerReferences, ...more };
    api.world.put(`${JOBS}/${name}`, Object.assign({ metadata: { labels, ...metadata } }, made));
  };
  const confirm: Action = { type: 'ConfirmJobGone', stage: 'one', attempt: 1 };

  test('that is there already is the one, unless it is being deleted', async () => {
    put({});
    expect((await apply([create('one')])).refusals).toEqual([]);
    put({ deletionTimestamp: '2026-01-01T00:00:00Z' });
    await expect(apply([create('one')])).rejects.toThrow('is being deleted');
  });

  test.each<[string, Partial<Job['metadata']>]>([
    ['its owner', { ownerReferences: [] }],
    ['its labels', { labels: {} }],
    ['both', { ownerReferences: [], labels: {} }],
  ])('is the one also when somebody took %s away, and gets it back', async (_what, more) => {
    put(more);
    const waitedFor: (string | undefined)[] = [];
    const wrote = (_of: unknown, version: string | undefined) => void waitedFor.push(version);
    expect((await apply([create('one')], runOf(spec), { wrote })).refusals).toEqual([]);
    const { metadata } = api.world.get(`${JOBS}/${name}`) ?? {};
    expect(metadata?.labels).toEqual(labels);
    expect(metadata?.ownerReferences).toMatchObject([{ uid: 'run-uid', controller: true }]);
    expect(waitedFor, 'not for a version that no watch shows').not.toContain('101');
    expect(waitedFor).toContain(metadata?.resourceVersion);
  });

  describe('whose labels a policy of the cluster changes', () => {
    const change = (): void => {
      const store = api.world.put.bind(api.world);
      api.world.put = (path, object) => {
        const { [LABEL.managedBy]: _changed, ...rest } = object.metadata.labels ?? {};
        return store(path, { ...object, metadata: { ...object.metadata, labels: rest } });
      };
    };

    test('is refused for good when it is created, and does not go on unseen', async () => {
      change();
      const { refusals } = await apply([create('one')]);
      expect(refusals).toMatchObject([{ stage: 'one', reason: 'PodCreationRefused', mayPass: false }]);
      expect(refusals[0]?.message).toContain(`changes the labels or the owner of Job ${name}`);
      expect(api.world.list(JOBS)).toEqual([]);
    });

    test('is refused also when the same is done to its pods: a Job that no watch shows would count as there for ever', async () => {
      const store = api.world.put.bind(api.world);
      api.world.put = (path, object) => {
        const theirs = { ...object.metadata.labels, [LABEL.managedBy]: 'platform-team' };
        const metadata = { ...object.metadata, labels: theirs };
        const template = { metadata: { labels: theirs } };
        return store(path, Object.assign({}, object, { metadata, spec: { template } }));
      };
      const { refusals } = await apply([create('one')]);
      expect(refusals).toMatchObject([{ stage: 'one', reason: 'PodCreationRefused', mayPass: false }]);
      expect(api.world.list(JOBS)).toEqual([]);
    });

    test('is refused when it cannot get them back, and so is what was to follow it', async () => {
      change();
      put({});
      const successor: Action = { type: 'CreateJob', stage: 'one', attempt: 2, activeSeconds: 0 };
      const { refusals } = await apply([confirm, successor]);
      expect(refusals).toMatchObject([{ stage: 'one', reason: 'PodCreationRefused', mayPass: false }]);
      expect(api.world.list(JOBS)).toEqual([]);
      expect(api.count(({ method }) => method === 'POST')).toBe(0);
    });

    test('ends with its run all the same', async () => {
      change();
      put({});
      await apply([{ type: 'ReclaimJob', job: name, uid: 'any' }]);
      expect(api.world.list(JOBS)).toEqual([]);
      put({});
      await expect(apply([{ type: 'EndLeftovers' }])).rejects.toThrow('still exist');
      expect(api.world.list(JOBS)).toEqual([]);
    });
  });

  test('has no successor while the API server still has it', async () => {
    put({});
    await expect(apply([confirm, create('two')])).rejects.toThrow('still exists');
    expect(api.world.list(JOBS)).toHaveLength(1);
    put({ deletionTimestamp: '2026-01-01T00:00:00Z' });
    await apply([confirm, create('two')]);
    expect(api.world.list(JOBS)).toHaveLength(2);
  });
});

describe('the Jobs of a run that has ended', () => {
  const put = (stage: string, labels: Record<string, string>): Job => {
    const job = jobOf(stage);
    const metadata = { ...job.metadata, labels };
    api.world.put(`${JOBS}/${job.metadata.name}`, { ...job, metadata });
    return { ...job, metadata };
  };
  const own = { [LABEL.runUID]: 'run-uid' };

  test('go once each, and nothing that is not theirs with them', async () => {
    const jobs = [put('one', own), put('two', own)];
    put('other', { [LABEL.runUID]: 'another-uid' });
    put('foreign', own);
    const deleted = new Map();
    await apply([{ type: 'DeleteJobs' }], runOf(spec), { jobs, deleted });
    expect(api.world.list(JOBS).map(({ metadata }) => metadata.name)).toEqual([
      jobOf('other').metadata.name,
      jobOf('foreign').metadata.name,
    ]);
    await apply([{ type: 'DeleteJobs' }], runOf(spec), { jobs, deleted });
    expect(api.count(({ method }) => method === 'DELETE')).toBe(2);
  });

  test('go also when one of them was created late, by a request that had been given up', async () => {
    const deleted = new Map();
    await apply([{ type: 'DeleteJobs' }], runOf(spec), { jobs: [put('one', own)], deleted });
    const jobs = [put('late', own)];
    await apply([{ type: 'DeleteJobs' }], runOf(spec), { jobs, deleted });
    expect(api.world.list(JOBS)).toEqual([]);
  });
});

describe('what is left of a run that has ended', () => {
  const PODS = '/api/v1/namespaces/data/pods';
  const own = { [LABEL.runUID]: 'run-uid' };

  test('are Jobs that lost their labels: all of them go in one pass', async () => {
    for (const stage of ['one', 'two']) {
      const { metadata, spec: made } = jobOf(stage);
      const template = { metadata: { labels: { ...metadata.labels } } };
      const unlabelled = { metadata: { ...metadata, labels: {} }, spec: { ...made, template } };
      api.world.put(`${JOBS}/${metadata.name}`, unlabelled);
    }
    await expect(apply([{ type: 'EndLeftovers' }])).rejects.toThrow('2 Jobs and pods of the run still exist');
    expect(api.world.list(JOBS)).toEqual([]);
  });

  test('is a pod whose Job and stage label somebody took away: it is ended first', async () => {
    const name = `${jobOf('one').metadata.name}-0-ab1cd`;
    const pod = { metadata: { name, namespace: 'data', uid: 'left', labels: own } };
    api.world.put(`${PODS}/${name}`, Object.assign(pod, { spec: { containers: [] } }));
    await expect(apply([{ type: 'EndLeftovers' }])).rejects.toThrow('still exist');
    expect(api.world.list(PODS)).toEqual([]);
    expect((await apply([{ type: 'EndLeftovers' }])).foreign).toEqual([]);
  });
});

describe('the finalizer', () => {
  const put = (names: string[]): ReturnType<typeof runOf> => {
    const { metadata } = api.world.put(RUN, { metadata: { ...identity, finalizers: names } });
    return runOf(spec, undefined, { finalizers: names, resourceVersion: metadata.resourceVersion ?? '' });
  };

  test('goes without those that others have added meanwhile', async () => {
    const run = put([FINALIZER]);
    put([FINALIZER, 'example.org/mine']);
    await apply([{ type: 'RemoveFinalizer' }], run);
    expect(finalizers()).toEqual(['example.org/mine']);
  });

  test('is only put on the version that the plan was made from', async () => {
    const run = put([]);
    put(['example.org/mine']);
    await expect(apply([{ type: 'AddFinalizer' }], run)).rejects.toMatchObject({ status: 409 });
    expect(finalizers()).toEqual(['example.org/mine']);
  });

  test('of an object that has gone already needs no removing', async () => {
    await expect(apply([{ type: 'RemoveFinalizer' }])).resolves.toMatchObject({ refusals: [] });
  });
});

describe('a pod that is given up with its node', () => {
  const path = '/api/v1/namespaces/data/pods/worker';
  const pod = podOf(jobOf('one'), { name: 'worker' });
  const release: Action = { type: 'ReleasePod', pod: 'worker', uid: 'worker', node: 'node-a' };
  const said = { type: 'Ready', status: 'False' as const };
  const put = (conditions: NonNullable<Pod['status']>['conditions']): void => {
    api.world.put(path, Object.assign({ metadata: { name: 'worker' } }, pod, { status: { conditions } }));
  };
  const seen = (): Pod => {
    const { resourceVersion = '' } = api.world.get(path)?.metadata ?? {};
    return { ...pod, metadata: { ...pod.metadata, resourceVersion }, status: { conditions: [] } };
  };

  test('keeps what others have said of it since it was looked at: the next pass knows', async () => {
    put([]);
    const before = seen();
    put([said]);
    const given = apply([release], runOf(spec), { pods: [before] });
    await expect(given).rejects.toMatchObject({ status: 409 });
    expect(api.world.get(path)).toMatchObject({ status: { conditions: [said] } });
  });

  test('is gone after that', async () => {
    put([]);
    await apply([release], runOf(spec), { pods: [seen()] });
    expect(api.world.get(path)).toBeUndefined();
  });
});
