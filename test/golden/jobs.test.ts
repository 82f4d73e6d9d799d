/** The Jobs that stages become, said in full where it matters. */
import { describe, expect, test } from 'vitest';
import type { PipelineRunSpec } from '../../operator/api/pipelinerun.ts';
import type { Job, PodSpec } from '../../operator/kube/types.ts';
import { buildJob } from '../../operator/pipelinerun/job.ts';
import { runOf } from '../support/plan/observed.ts';

const settings = {
  image: 'ebbflow:test',
  apiURL: 'https://10.0.0.1:8443',
  apiServerName: 'ebbflow-workers',
  apiCA: 'PEM',
  copyWorkerShare: 4_000,
};
const stores = [
  { name: 'lake', endpoint: 'https://s3.example.org', secretRef: { name: 's3-lake' } },
  { name: 'cloud', region: 'eu-central-1' },
];

const spec: PipelineRunSpec = {
  stores,
  placement: { nodeSelector: { pool: 'work' }, tolerations: [{ key: 'pool', operator: 'Exists' }] },
  activeDeadlineSeconds: 7_200,
  stages: [
    {
      name: 'arrange',
      workers: 4,
      retry: { failures: 5 },
      copy: {
        source: { store: 'lake', bucket: 'raw', prefix: '2026/' },
        destination: { store: 'cloud', bucket: 'lake' },
      },
    },
    {
      name: 'train',
      dependsOn: ['arrange'],
      placement: { nodeSelector: { pool: 'gpu' } },
      resources: { requests: { cpu: '4' }, limits: { memory: '8Gi' } },
      serviceAccountName: 'trainer',
      imagePullSecrets: [{ name: 'registry' }],
      startTimeoutSeconds: 300,
      train: {
        image: 'trainer:1',
        command: ['python', 'train.py'],
        env: [{ name: 'SEED', value: '7' }],
        inputs: [{ stage: 'arrange', path: '/data' }],
        outputs: [{ path: '/out', store: 'lake', bucket: 'models', prefix: 'digits/{runUID}/{stage}/' }],
      },
    },
    { name: 'report', container: { image: 'busybox:1', command: ['true'] } },
  ],
};

function build(name: string, attempt = 1, activeSeconds = 0): { job: Job; pod: PodSpec } {
  const stage = spec.stages.find((candidate) => candidate.name === name);
  if (!stage) throw new Error(`no stage ${name}`);
  const job = buildJob({ run: runOf(spec), stage, attempt, activeSeconds }, settings);
  const { spec: pod } = job.spec.template;
  if (!pod) throw new Error('a Job without a pod');
  return { job, pod };
}

const named = <T extends { name: string }>(list: readonly T[] | undefined, name: string): T => {
  const found = list?.find((candidate) => candidate.name === name);
  if (!found) throw new Error(`nothing is called ${name}`);
  return found;
};

const restricted = {
  runAsNonRoot: true,
  runAsUser: 65_532,
  runAsGroup: 65_532,
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};
const silence = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'].map((key) => ({
  key,
  operator: 'Exists',
  effect: 'NoExecute',
  tolerationSeconds: 30,
}));
const tokenVolume = {
  name: 'token',
  projected: {
    sources: [{ serviceAccountToken: { audience: 'ebbflow', expirationSeconds: 3600, path: 'token' } }],
  },
};
const tokenMount = { name: 'token', mountPath: '/var/run/ebbflow/token', readOnly: true };
const lakeMount = { name: 'store-0', mountPath: '/var/run/ebbflow/stores/lake', readOnly: true };
const ownTmp = { name: 'tmp', mountPath: '/tmp' };

describe('every Job', () => {
  test.each(['arrange', 'train', 'report'])('of stage %s is found by owner and labels', (name) => {
    const { job } = build(name, 2);
    const labels = {
      'app.kubernetes.io/managed-by': 'ebbflow',
      'ebbflow.dev/run': 'nightly',
      'ebbflow.dev/run-uid': 'run-uid',
      'ebbflow.dev/stage': name,
      'ebbflow.dev/attempt': '2',
    };
    expect(job.metadata).toEqual({
      name: expect.stringMatching(new RegExp(`^nightly-${name}-2-[0-9a-f]{8}$`)),
      namespace: 'data',
      labels,
      ownerReferences: [
        {
          apiVersion: 'ebbflow.dev/v1alpha1',
          kind: 'PipelineRun',
          name: 'nightly',
          uid: 'run-uid',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    });
    expect(job.spec.template.metadata).toEqual({
      labels,
      annotations: {
        'karpenter.sh/do-not-disrupt': 'true',
        'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
        'kubectl.kubernetes.io/default-container': name === 'arrange' ? 'copy' : 'main',
      },
    });
  });

  test.each(['arrange', 'train', 'report'])(
    'of stage %s is Indexed, replaces only ended pods, and neither times out nor vanishes by itself',
    (name) => {
      const { spec: jobSpec } = build(name).job;
      expect(jobSpec).toMatchObject({
        completionMode: 'Indexed',
        completions: 1,
        parallelism: 1,
        podReplacementPolicy: 'Failed',
      });
      expect(jobSpec).not.toHaveProperty('activeDeadlineSeconds');
      expect(jobSpec).not.toHaveProperty('ttlSecondsAfterFinished');
    },
  );

  test.each(['arrange', 'train', 'report'])(
    'of stage %s has a pod that Pod Security calls restricted',
    (name) => {
      const { pod } = build(name);
      expect(pod).toMatchObject({
        restartPolicy: 'Never',
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        securityContext: { runAsNonRoot: true, fsGroup: 65_532, seccompProfile: { type: 'RuntimeDefault' } },
      });
      const containers = [...(pod.initContainers ?? []), ...pod.containers];
      for (const { securityContext } of containers) expect(securityContext).toMatchObject(restricted);
      const kinds = (pod.volumes ?? []).flatMap((volume) =>
        Object.keys(volume).filter((key) => key !== 'name'),
      );
      expect(new Set([...kinds, 'emptyDir', 'projected', 'secret'])).toEqual(
        new Set(['emptyDir', 'projected', 'secret']),
      );
      expect(pod).not.toHaveProperty('shareProcessNamespace');
    },
  );
});

describe('a copy', () => {
  const { job, pod } = build('arrange');

  test('is retried inside its Job, but not where trying again cannot help', () => {
    expect(job.spec.backoffLimit).toBeUndefined();
    expect(job.spec.backoffLimitPerIndex).toBe(5);
    const onExit = (...values: number[]) => ({
      onExitCodes: { containerName: 'copy', operator: 'In', values },
    });
    expect(job.spec.podFailurePolicy).toEqual({
      rules: [
        { action: 'FailJob', ...onExit(2, 10) },
        { action: 'FailIndex', ...onExit(11) },
        { action: 'Ignore', ...onExit(143) },
        { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
      ],
    });
  });

  test('starts with the one worker that plans', () => {
    expect(job.spec).toMatchObject({ completions: 1, parallelism: 1 });
  });

  test('is one container of ours with the credentials of both stores', () => {
    expect(pod.initContainers).toBeUndefined();
    expect(pod.containers.map(({ name, image, args }) => ({ name, image, args }))).toEqual([
      { name: 'copy', image: 'ebbflow:test', args: ['copy'] },
    ]);
    const copy = named(pod.containers, 'copy');
    expect(copy.securityContext).toEqual({ ...restricted, readOnlyRootFilesystem: true });
    const scratch = { name: 'scratch', mountPath: '/ebbflow/scratch' };
    expect(copy.volumeMounts).toEqual([tokenMount, ownTmp, lakeMount, scratch]);
    expect(pod.volumes).toEqual([
      tokenVolume,
      { name: 'tmp', emptyDir: {} },
      { name: 'store-0', secret: { secretName: 's3-lake' } },
      { name: 'scratch', emptyDir: { sizeLimit: '10Gi' } },
    ]);
  });

  test('goes where the run says, and stays 30 s on a silent node', () => {
    expect(pod.nodeSelector).toEqual({ pool: 'work' });
    expect(pod.tolerations).toEqual([{ key: 'pool', operator: 'Exists' }, ...silence]);
    expect(pod.terminationGracePeriodSeconds).toBe(60);
  });

  test('is told what to do in its environment, and no secret', () => {
    const env = named(pod.containers, 'copy').env ?? [];
    expect(env.filter(({ name }) => name !== 'EBBFLOW_SPEC')).toEqual([
      { name: 'EBBFLOW_RUN', value: 'nightly' },
      { name: 'EBBFLOW_RUN_UID', value: 'run-uid' },
      { name: 'EBBFLOW_NAMESPACE', value: 'data' },
      { name: 'EBBFLOW_STAGE', value: 'arrange' },
      { name: 'EBBFLOW_ATTEMPT', value: '1' },
      { name: 'EBBFLOW_POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'EBBFLOW_POD_UID', valueFrom: { fieldRef: { fieldPath: 'metadata.uid' } } },
      { name: 'EBBFLOW_NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
      { name: 'EBBFLOW_API_URL', value: 'https://10.0.0.1:8443' },
      { name: 'EBBFLOW_API_SERVER_NAME', value: 'ebbflow-workers' },
      { name: 'EBBFLOW_API_CA', value: 'PEM' },
      { name: 'EBBFLOW_TOKEN_FILE', value: '/var/run/ebbflow/token/token' },
    ]);
    expect(JSON.parse(named(env, 'EBBFLOW_SPEC').value ?? '')).toEqual({
      kind: 'copy',
      workers: 4,
      share: 4_000,
      scratch: 9_663_676_416,
      stores: [
        {
          name: 'lake',
          endpoint: 'https://s3.example.org',
          region: 'us-east-1',
          addressing: 'Path',
          credentials: '/var/run/ebbflow/stores/lake',
        },
        { name: 'cloud', region: 'eu-central-1', addressing: 'Virtual' },
      ],
      copy: {
        source: { store: 'lake', bucket: 'raw', prefix: '2026/' },
        destination: { store: 'cloud', bucket: 'lake', prefix: '' },
      },
    });
  });
});

describe('a training', () => {
  const { job, pod } = build('train');

  test('gets a new Job for every retry, and a disruption ends the attempt', () => {
    expect(job.spec.backoffLimit).toBe(0);
    expect(job.spec.podFailurePolicy).toEqual({
      rules: [{ action: 'FailJob', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }],
    });
  });

  test('is fetch, then the agent, then main', () => {
    expect(pod.initContainers?.map(({ name, image, args }) => ({ name, image, args }))).toEqual([
      { name: 'fetch', image: 'ebbflow:test', args: ['fetch'] },
    ]);
    expect(pod.containers.map(({ name, image }) => ({ name, image }))).toEqual([
      { name: 'agent', image: 'ebbflow:test' },
      { name: 'main', image: 'trainer:1' },
    ]);
  });

  test("runs the user's command under the shim, with the user's variables and resources", () => {
    const main = named(pod.containers, 'main');
    expect(main.command).toEqual(['/ebbflow/bin/shim', '--', 'python', 'train.py']);
    expect(main.env).toEqual([
      { name: 'PYTHONUNBUFFERED', value: '1' },
      { name: 'HOME', value: '/tmp' },
      { name: 'SEED', value: '7' },
    ]);
    expect(main.resources).toEqual({ requests: { cpu: '4' }, limits: { memory: '8Gi' } });
    expect(main.securityContext).toEqual(restricted);
  });

  test("keeps token and credentials out of the user's container", () => {
    expect(named(pod.containers, 'main').volumeMounts).toEqual([
      { name: 'bin', mountPath: '/ebbflow/bin', readOnly: true },
      { name: 'run', mountPath: '/ebbflow/run' },
      { name: 'scratch', mountPath: '/tmp' },
      { name: 'input-0', mountPath: '/data' },
      { name: 'output-0', mountPath: '/out' },
    ]);
    expect(named(pod.initContainers, 'fetch').volumeMounts).toEqual([
      tokenMount,
      ownTmp,
      lakeMount,
      { name: 'bin', mountPath: '/ebbflow/bin' },
      { name: 'input-0', mountPath: '/ebbflow/inputs/0' },
    ]);
    expect(named(pod.containers, 'agent').volumeMounts).toEqual([
      tokenMount,
      ownTmp,
      lakeMount,
      { name: 'run', mountPath: '/ebbflow/run' },
      { name: 'output-0', mountPath: '/ebbflow/outputs/0', readOnly: true },
    ]);
  });

  test('has the names in its output prefix filled in, and the store of the stage it reads from', () => {
    const env = named(pod.containers, 'agent').env ?? [];
    expect(JSON.parse(named(env, 'EBBFLOW_SPEC').value ?? '')).toMatchObject({
      kind: 'container',
      stores: [{ name: 'lake' }, { name: 'cloud' }],
      inputs: [{ directory: '/ebbflow/inputs/0', stage: 'arrange' }],
      outputs: [
        {
          directory: '/ebbflow/outputs/0',
          location: { store: 'lake', bucket: 'models', prefix: 'digits/run-uid/train/' },
        },
      ],
    });
  });

  test('has its own placement instead of that of the run, and its own account', () => {
    expect(pod.nodeSelector).toEqual({ pool: 'gpu' });
    expect(pod.tolerations).toEqual(silence);
    expect(pod.serviceAccountName).toBe('trainer');
    expect(pod.imagePullSecrets).toEqual([{ name: 'registry' }]);
    expect(pod.terminationGracePeriodSeconds).toBe(90);
  });
});

describe('a container', () => {
  const { job, pod } = build('report');

  test('without inputs has the shim put in place by itself, and mounts no credentials', () => {
    expect(job.spec.backoffLimit).toBe(0);
    const [fetch] = pod.initContainers ?? [];
    expect(fetch?.command).toEqual([expect.stringMatching(/shim$/), '-install', '/ebbflow/bin/shim']);
    expect(pod.volumes?.filter(({ secret }) => secret)).toEqual([]);
  });

  test('that asks for nothing gets small requests and no limits', () => {
    expect(named(pod.containers, 'main').resources).toEqual({ requests: { cpu: '100m', memory: '128Mi' } });
  });
});

describe("the kubelet's deadline", () => {
  test('is what is left of the stage, and the time that starting may take', () => {
    expect(build('train').pod.activeDeadlineSeconds).toBe(7_500);
    expect(build('train', 2, 7_000).pod.activeDeadlineSeconds).toBe(500);
    expect(build('train', 3, 9_000).pod.activeDeadlineSeconds).toBe(301);
  });

  test('is never more than Kubernetes takes', () => {
    const stage = {
      name: 'work',
      activeDeadlineSeconds: 2_147_483_647,
      container: { image: 'a', command: ['b'] },
    };
    const job = buildJob({ run: runOf({ stages: [stage] }), stage, attempt: 1, activeSeconds: 0 }, settings);
    expect(job.spec.template.spec?.activeDeadlineSeconds).toBe(2_147_483_647);
  });
});
