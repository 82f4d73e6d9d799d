import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { jobName } from '../../operator/api/names.ts';
import type { PipelineRun } from '../../operator/api/types.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { createKubeClient } from '../../operator/kube/http-client.ts';
import { loadClusterAccess } from '../../operator/kube/kubeconfig.ts';
import { isNotFound } from '../../operator/kube/errors.ts';
import { jobs, pods, type Resource } from '../../operator/kube/resource.ts';
import type { Job, KubeObject, Pod } from '../../operator/kube/types.ts';
import { attemptLabels, ownerOf } from '../../operator/pipelinerun/ours.ts';
import { pipelineRuns } from '../../operator/pipelinerun/resource.ts';
import { identifyWorker } from '../../operator/workerapi/who.ts';
import { TokenReviewer } from '../../operator/workerapi/tokens.ts';
import { systemClock } from '../../operator/kube/clock.ts';
import type { LiveLookup } from '../../operator/workerapi/types.ts';
import { PipelineRunServer, testKubeconfig } from '../support/examples/server.ts';
import { decidedRun } from '../support/results/runs.ts';

const signal = AbortSignal.timeout(110_000);
const namespace: Resource = {
  group: '',
  version: 'v1',
  plural: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
};
const serviceAccounts: Resource = {
  group: '',
  version: 'v1',
  plural: 'serviceaccounts',
  kind: 'ServiceAccount',
  namespaced: true,
};
const here = `workers-${process.pid}`;
const elsewhere = `elsewhere-${process.pid}`;

let client: KubeClient;
let definitions: PipelineRunServer;
let run: PipelineRun;
let pod: Pod;
let job: Job;

async function kubectl(...args: string[]): Promise<string> {
  const env = { ...process.env, KUBECONFIG: testKubeconfig() };
  const { stdout } = await promisify(execFile)('kubectl', args, { env, timeout: 120_000 });
  return stdout.trim();
}

/** A token of the pod, as the kubelet would have the API server make it for a projected volume. */
function tokenOf({ metadata }: Pod, ...more: string[]): Promise<string> {
  const bound = [
    `--bound-object-kind=Pod`,
    `--bound-object-name=${metadata.name}`,
    `--bound-object-uid=${metadata.uid}`,
  ];
  return kubectl('create', 'token', 'default', `--namespace=${metadata.namespace}`, ...bound, ...more);
}

async function createPod(where: string, name: string, owner?: Job): Promise<Pod> {
  const ownerReferences =
    owner === undefined
      ? []
      : [
          {
            apiVersion: 'batch/v1',
            kind: 'Job',
            name: owner.metadata.name ?? '',
            uid: owner.metadata.uid ?? '',
            controller: true,
          },
        ];
  return client.create(pods, where, {
    metadata: { name, ownerReferences, annotations: { 'batch.kubernetes.io/job-completion-index': '0' } },
    // A node that does not exist: nothing runs it, and no scheduler looks at it.
    spec: {
      nodeName: 'nowhere',
      containers: [{ name: 'main', image: 'none' }],
      tolerations: [{ operator: 'Exists' }],
    },
  });
}

beforeAll(async () => {
  client = createKubeClient({
    access: await loadClusterAccess({ kubeconfig: testKubeconfig() }),
    userAgent: 'test/0',
  });
  definitions = await PipelineRunServer.open(here);
  await client.create(namespace, undefined, { metadata: { name: elsewhere } });
  for (const name of [here, elsewhere]) {
    // The service account controller makes it some moments after the namespace.
    const has = (): Promise<boolean> =>
      client.get(serviceAccounts, name, 'default').then(
        () => true,
        () => false,
      );
    while (!(await has())) await sleep(100, undefined, { signal });
  }
  // A real run: the garbage collector takes Jobs away whose owner it cannot find.
  const { apiVersion, kind, metadata, ...decided } = decidedRun();
  // Suspended, should an operator be about.
  const spec = { ...decided.spec, suspend: true, stores: [{ name: 'lake', endpoint: 'http://127.0.0.1:1' }] };
  const made = await client.create<KubeObject>(
    pipelineRuns,
    here,
    Object.assign({ metadata: { name: metadata.name } }, { apiVersion, kind, spec }),
  );
  run = { ...decidedRun(), metadata: { ...metadata, namespace: here, uid: made.metadata.uid ?? '' } };
  const labels = attemptLabels(run, 'train', 1);
  const theName = jobName(run.metadata, 'train', 1);
  job = await client.create(jobs, here, {
    metadata: {
      name: theName,
      labels,
      ownerReferences: [ownerOf(run)],
    },
    spec: {
      // Nobody else's: the Job controller would let go of pods that it has not made itself.
      managedBy: 'ebbflow.dev/test',
      suspend: true,
      template: {
        metadata: { labels },
        spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'none' }] },
      },
    },
  });
  pod = await createPod(here, `${theName}-0-xyz`, job);
});

afterAll(async () => {
  await client
    .delete(namespace, undefined, elsewhere, { propagationPolicy: 'Background' })
    .catch(() => undefined);
  await definitions.close();
  await client.close();
});

function live<T extends KubeObject>(resource: Resource<T>): LiveLookup<T> {
  return {
    cached: () => undefined,
    fetch: (where, name) =>
      client.get(resource, where, name, { signal }).catch((error: unknown) => {
        if (isNotFound(error)) return undefined;
        throw error;
      }),
  };
}

/** The code of the refusal, or the caller that was found. */
async function who(token: string): Promise<unknown> {
  const reviewer = new TokenReviewer({
    tokenReview: (asked, audiences) => client.tokenReview(asked, audiences, { signal }),
    clock: systemClock,
  });
  const find = {
    pods: live(pods),
    jobs: live(jobs),
    run: (wanted: string) => (wanted === run.metadata.uid ? run : undefined),
  };
  try {
    const subject = await reviewer.review(`Bearer ${token}`, signal);
    return await identifyWorker(subject, { ...find, fenced: () => false }, signal);
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error;
  }
}

test('the token of a worker leads to its pod, its Job and its run', async () => {
  expect(await who(await tokenOf(pod, '--audience=ebbflow'))).toMatchObject({
    namespace: here,
    runUID: run.metadata.uid,
    stage: 'train',
    kind: 'train',
    attempt: 1,
    index: 0,
    podUID: pod.metadata.uid,
    dependsOn: ['arrange'],
  });
});

test('a token of another audience, of no pod, or changed by one character gets nothing', async () => {
  expect(await who(await tokenOf(pod))).toBe('Unauthenticated');
  expect(await who(await tokenOf(pod, '--audience=other'))).toBe('Unauthenticated');
  const loose = await kubectl('create', 'token', 'default', `--namespace=${here}`, '--audience=ebbflow');
  expect(await who(loose)).toBe('NotAWorker');
  const token = await tokenOf(pod, '--audience=ebbflow');
  const middle = token.lastIndexOf('.') - 20;
  const forged = token.slice(0, middle) + (token[middle] === 'A' ? 'B' : 'A') + token.slice(middle + 1);
  expect(await who(forged)).toBe('Unauthenticated');
});

test('pods that are not of a Job of ours get nothing, in this namespace or another', async () => {
  const alone = await createPod(here, 'alone');
  expect(await who(await tokenOf(alone, '--audience=ebbflow'))).toBe('NotAWorker');
  const foreign = await createPod(elsewhere, 'nightly-train-1-abc-0-xyz', job);
  expect(await who(await tokenOf(foreign, '--audience=ebbflow'))).toBe('NotAWorker');
  const copied = await client.create(jobs, here, {
    metadata: { name: 'imitation', labels: { ...job.metadata.labels } },
    spec: {
      // Nobody else's: the Job controller would let go of pods that it has not made itself.
      managedBy: 'ebbflow.dev/test',
      suspend: true,
      template: {
        metadata: { labels: { ...job.metadata.labels } },
        spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'none' }] },
      },
    },
  });
  const imitated = await createPod(here, 'imitation-0-abc', copied);
  expect(await who(await tokenOf(imitated, '--audience=ebbflow'))).toBe('NotAWorker');
});

test('the token of a pod that was deleted gets nothing', async () => {
  const short = await createPod(here, 'nightly-train-1-abc-0-short', job);
  const token = await tokenOf(short, '--audience=ebbflow');
  expect(await who(token)).toMatchObject({ podUID: short.metadata.uid });
  await client.delete(pods, here, 'nightly-train-1-abc-0-short', {
    propagationPolicy: 'Background',
    gracePeriodSeconds: 0,
  });
  // The API server remembers for some seconds that the token was good; that there is no such pod is seen at once.
  expect(['NotAWorker', 'Unauthenticated']).toContain(await who(token));
});
