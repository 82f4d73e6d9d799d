import {
  arrange,
  attic,
  command,
  copy,
  copyWith,
  destination,
  lake,
  repeat,
  run,
  source,
  stageWith,
  train,
  trainWith,
  type ValidExample,
} from './example.ts';

/** Objects that both validateSpec and the API server accept. */
export const VALID: readonly ValidExample[] = [
  { title: 'one container stage, no store', spec: { stages: [{ name: 'work', container: command }] } },
  { title: 'one copy stage', spec: run(arrange) },
  { title: 'copy, then train', spec: run(arrange, train) },
  {
    title: 'copy, train, report, with every input and output form',
    spec: run(
      arrange,
      {
        ...train,
        workers: 1,
        resources: {
          requests: { cpu: '1', memory: '1Gi', 'nvidia.com/gpu': '1' },
          limits: { memory: '1.5Gi' },
        },
        train: {
          ...command,
          env: [
            { name: 'EPOCHS', value: '3' },
            { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'hub', key: 'token', optional: true } } },
            { name: 'MODE', valueFrom: { configMapKeyRef: { name: 'settings', key: 'mode' } } },
            { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          ],
          inputs: [
            { stage: 'arrange', path: '/data' },
            { store: 'lake', bucket: 'models', prefix: 'base/', path: '/base/' },
          ],
          outputs: [{ path: '/out', bucket: 'models', prefix: '{run}/{runUID}/{stage}/{index}/' }],
        },
      },
      { name: 'report', dependsOn: ['train', 'arrange'], container: command },
    ),
  },
  {
    title: 'two stores, every location names its own',
    spec: {
      stores: [lake, attic],
      stages: [
        {
          name: 'arrange',
          copy: { source: { ...source, store: 'attic' }, destination: { ...destination, store: 'lake' } },
        },
      ],
    },
  },
  {
    title: 'every option of copy',
    spec: copyWith({
      rename: [{ match: '^(?<day>[^/]+)/IMG_(?<n>\\d+)\\.png$', replace: 'day={day}/{n|pad:6}{{}}.png' }],
      mode: 'Move',
      onUnmatched: 'Skip',
      onExisting: 'Overwrite',
      onEmpty: 'Succeed',
      keyEquivalence: 'Posix',
      transfer: 'ServerSide',
      multipartThreshold: '512Mi',
      verify: 'Sample',
      samplePercent: 5,
      maxFailures: 10,
      dryRun: true,
    }),
  },
  {
    title: 'keys from a list',
    spec: copyWith({ source: { ...source, keyList: { bucket: 'raw', key: 'keys.txt' } } }),
  },
  {
    title: 'objects of an earlier stage',
    spec: run(arrange, {
      name: 'again',
      dependsOn: ['arrange'],
      copy: { ...copy, source: { ...source, ledgerOf: 'arrange' } },
    }),
  },
  {
    title: 'objects of another run',
    spec: copyWith({ source: { ...source, ledgerOf: '7f1c2a34-0b7e-4a3e-9d55-0123456789ab' } }),
  },
  {
    title: 'placement, timeouts and retries at both levels',
    spec: {
      ...run({
        ...arrange,
        workers: 4,
        retry: { failures: 3, disruptions: 20 },
        placement: { nodeSelector: { 'ebbflow.dev/pool': 'big', zone: '' } },
        provisionTimeoutSeconds: 1,
        startTimeoutSeconds: 2_147_483_647,
        activeDeadlineSeconds: 60,
      }),
      pipeline: 'digits',
      placement: {
        nodeSelector: { 'ebbflow.dev/pool': 'burst' },
        tolerations: [
          { operator: 'Exists' },
          { key: 'ebbflow.dev/pool', operator: 'Exists', effect: 'NoSchedule' },
          { key: 'spot', value: 'true' },
          { key: 'spot', operator: 'Equal', value: 'true', effect: 'NoExecute', tolerationSeconds: 30 },
        ],
      },
      provisionTimeoutSeconds: 900,
      startTimeoutSeconds: 600,
      activeDeadlineSeconds: 86_400,
      ttlSecondsAfterFinished: 0,
    },
  },
  { title: 'created suspended', spec: { ...run(arrange), suspend: true, cancel: false } },
  { title: 'created canceled', spec: { ...run(arrange), cancel: true } },
  {
    title: 'service account and pull secrets',
    spec: stageWith({ serviceAccountName: 'trainer.v2', imagePullSecrets: [{ name: 'registry' }] }),
  },
  {
    title: 'image by digest from a registry with a port',
    spec: trainWith({ image: `registry.example.com:5000/a/b@sha256:${'0'.repeat(64)}` }),
  },
  {
    title: 'endpoints of every form',
    spec: {
      ...run(),
      stores: [
        { name: 'a', endpoint: 'https://s3.eu-central-1.amazonaws.com' },
        { name: 'b', endpoint: 'http://10.99.0.1:7070/' },
        { name: 'c', endpoint: 'http://[fd00::1]:9000' },
        { name: 'd' },
      ],
      stages: [{ name: 'work', container: command }],
    },
  },
  { title: 'keys are any text', spec: copyWith({ source: { bucket: 'raw', prefix: ' +%?#&=\'"<>{}~ä/' } }) },
  {
    title: 'null is the same as left out',
    spec: {
      ...run({ ...arrange, workers: null, train: null }),
      ttlSecondsAfterFinished: null,
      placement: { nodeSelector: { zone: null } },
    },
  },
  { title: 'the longest name', spec: run(arrange), name: `a${'b'.repeat(62)}` },
  {
    title: 'a hundred stages in a chain',
    spec: run(
      ...repeat(100, (i) => ({
        name: `stage-${i}`,
        ...(i === 0 ? {} : { dependsOn: [`stage-${i - 1}`] }),
        container: command,
      })),
    ),
  },
  {
    title: 'sixteen dependencies',
    spec: run(...repeat(16, (i) => ({ name: `stage-${i}`, container: command })), {
      name: 'last',
      dependsOn: repeat(16, (i) => `stage-${i}`),
      container: command,
    }),
  },
];
