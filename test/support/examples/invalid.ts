import {
  arrange,
  attic,
  command,
  copy,
  copyWith,
  destination,
  type InvalidExample,
  lake,
  repeat,
  run,
  source,
  stageWith,
  train,
  trainWith,
} from './example.ts';

const shape: InvalidExample[] = [
  {
    title: 'no stages',
    spec: { stores: [lake] },
    path: 'spec.stages',
    says: 'is required',
    serverSays: 'spec.stages: Required value',
  },
  {
    title: 'empty stages',
    spec: run(),
    path: 'spec.stages',
    says: 'at least 1',
    serverSays: 'spec.stages in body should have at least 1 items',
  },
  {
    title: 'more than a hundred stages',
    spec: run(...repeat(101, (i) => ({ name: `s${i}`, container: command }))),
    path: 'spec.stages',
    says: 'at most 100',
    serverSays: 'must have at most 100 items',
  },
  {
    title: 'stages as an object',
    spec: { stages: 'arrange' },
    path: 'spec.stages',
    says: 'must be a list',
    serverSays: 'spec.stages in body must be of type array',
  },
  {
    title: 'an unknown field of spec',
    spec: { ...run(arrange), stage: [] },
    path: 'spec.stage',
    says: 'unknown field',
    serverSays: 'unknown field "spec.stage"',
  },
  {
    title: 'an unknown field deep down',
    spec: copyWith({ renames: [] }),
    path: 'spec.stages[0].copy.renames',
    says: 'unknown field',
    serverSays: 'unknown field "spec.stages[0].copy.renames"',
  },
  {
    title: 'null in a list',
    spec: { ...run(arrange), stages: [arrange, null] },
    path: 'spec.stages[1]',
    says: 'must be an object',
    serverSays: 'spec.stages[1] in body must be of type object',
  },
  {
    title: 'null for a required member',
    spec: run({ name: 'arrange', copy: { source, destination: null } }),
    path: 'spec.stages[0].copy.destination',
    says: 'is required',
    serverSays: 'spec.stages[0].copy.destination: Required value',
  },
  {
    title: 'suspend as text',
    spec: { ...run(arrange), suspend: 'yes' },
    path: 'spec.suspend',
    says: 'must be true or false',
    serverSays: 'spec.suspend in body must be of type boolean',
  },
  {
    title: 'a stage without name',
    spec: run({ copy }),
    path: 'spec.stages[0].name',
    says: 'is required',
    serverSays: 'spec.stages[0].name: Required value',
  },
  {
    title: 'an upper-case stage name',
    spec: run({ name: 'Arrange', copy }),
    path: 'spec.stages[0].name',
    says: 'must be a DNS label',
  },
  {
    title: 'a stage name that ends with a hyphen',
    spec: run({ name: 'arrange-', copy }),
    path: 'spec.stages[0].name',
    says: 'must be a DNS label',
  },
  {
    title: 'an empty stage name',
    spec: run({ name: '', copy }),
    path: 'spec.stages[0].name',
    says: 'must be a DNS label',
  },
  {
    title: 'a stage name of 64 characters',
    spec: run({ name: 'a'.repeat(64), copy }),
    path: 'spec.stages[0].name',
    says: 'at most 63',
    serverSays: 'may not be more than 63 bytes',
  },
  {
    title: 'a name of 64 characters',
    spec: run(arrange),
    name: 'a'.repeat(64),
    path: 'metadata.name',
    says: 'choose a shorter name',
  },
  {
    title: 'a pipeline with a dot',
    spec: { ...run(arrange), pipeline: 'a.b' },
    path: 'spec.pipeline',
    says: 'must be a DNS label',
  },
  {
    title: 'no workers',
    spec: stageWith({ workers: 0 }),
    path: 'spec.stages[0].workers',
    says: 'must be at least 1',
    serverSays: 'spec.stages[0].workers in body should be greater than or equal to 1',
  },
  {
    title: 'half a worker',
    spec: stageWith({ workers: 1.5 }),
    path: 'spec.stages[0].workers',
    says: 'must be a whole number',
    serverSays: 'spec.stages[0].workers in body must be of type integer',
  },
  {
    title: 'too many workers',
    spec: stageWith({ workers: 10_001 }),
    path: 'spec.stages[0].workers',
    says: 'must be at most 10000',
    serverSays: 'should be less than or equal to 10000',
  },
  {
    title: 'a negative retry budget',
    spec: stageWith({ retry: { failures: -1 } }),
    path: 'spec.stages[0].retry.failures',
    says: 'must be at least 0',
    serverSays: 'should be greater than or equal to 0',
  },
  {
    title: 'a timeout of 0',
    spec: { ...run(arrange), provisionTimeoutSeconds: 0 },
    path: 'spec.provisionTimeoutSeconds',
    says: 'must be at least 1',
    serverSays: 'spec.provisionTimeoutSeconds in body should be greater than or equal to 1',
  },
  {
    title: 'a deadline over 32 bits',
    spec: { ...run(arrange), activeDeadlineSeconds: 2_147_483_648 },
    path: 'spec.activeDeadlineSeconds',
    says: 'must be at most 2147483647',
    serverSays: 'spec.activeDeadlineSeconds in body should be less than or equal to',
  },
];

const kinds: InvalidExample[] = [
  {
    title: 'a stage without kind',
    spec: run({ name: 'work' }),
    path: 'spec.stages[0]',
    says: 'set exactly one of copy, train and container',
  },
  {
    title: 'a stage of two kinds',
    spec: run({ name: 'work', copy, container: command }),
    path: 'spec.stages[0]',
    says: 'set exactly one of copy, train and container',
  },
];

const dependencies: InvalidExample[] = [
  {
    title: 'two stages of one name',
    spec: run(arrange, arrange),
    path: 'spec.stages[1]',
    says: 'rename or remove one',
    serverSays: 'spec.stages[1]: Duplicate value',
  },
  {
    title: 'a dependency on itself',
    spec: run({ ...arrange, dependsOn: ['arrange'] }),
    path: 'spec.stages[0].dependsOn',
    says: 'remove its own name from dependsOn',
  },
  {
    title: 'a dependency on a stage that is not there',
    spec: run({ ...arrange, dependsOn: ['arange'] }),
    path: 'spec.stages[0].dependsOn[0]',
    says: 'correct the name, or add the stage',
  },
  {
    title: 'a dependency named twice',
    spec: run(arrange, { ...train, dependsOn: ['arrange', 'arrange'] }),
    path: 'spec.stages[1].dependsOn[1]',
    says: 'rename or remove one',
    serverSays: 'spec.stages[1].dependsOn[1]: Duplicate value',
  },
  {
    title: 'seventeen dependencies',
    spec: run(...repeat(17, (i) => ({ name: `s${i}`, container: command })), {
      name: 'last',
      dependsOn: repeat(17, (i) => `s${i}`),
      container: command,
    }),
    path: 'spec.stages[17].dependsOn',
    says: 'at most 16',
    serverSays: 'must have at most 16 items',
  },
  {
    title: 'a circle of three stages',
    spec: run(
      { name: 'a', dependsOn: ['c'], container: command },
      { name: 'b', dependsOn: ['a'], container: command },
      { name: 'c', dependsOn: ['b'], container: command },
    ),
    path: 'spec.stages',
    says: 'a -> c -> b -> a; remove one of these from dependsOn',
    onlyInCode: true,
  },
  {
    title: 'an input from a stage that is not in dependsOn',
    spec: run(arrange, {
      name: 'train',
      train: { ...command, inputs: [{ stage: 'arrange', path: '/data' }] },
    }),
    path: 'spec.stages[1].train.inputs[0].stage',
    says: 'add that stage to dependsOn',
  },
  {
    title: 'a container input from a stage that is not in dependsOn',
    spec: run(
      arrange,
      { ...train, name: 'report', train: command },
      {
        name: 'x',
        dependsOn: ['arrange'],
        container: { ...command, inputs: [{ stage: 'report', path: '/data' }] },
      },
    ),
    path: 'spec.stages[2].container.inputs[0].stage',
    says: 'add that stage to dependsOn',
  },
  {
    title: 'objects of a stage that is not in dependsOn',
    spec: run(arrange, { name: 'again', copy: { ...copy, source: { ...source, ledgerOf: 'arrange' } } }),
    path: 'spec.stages[1].copy.source.ledgerOf',
    says: 'add that stage to dependsOn',
  },
];

const stores: InvalidExample[] = [
  {
    title: 'two stores of one name',
    spec: { ...run(arrange), stores: [lake, lake] },
    path: 'spec.stores[1]',
    says: 'rename or remove one',
    serverSays: 'spec.stores[1]: Duplicate value',
  },
  {
    title: 'an endpoint with a path',
    spec: { ...run(arrange), stores: [{ name: 'lake', endpoint: 'http://s3/lake' }] },
    path: 'spec.stores[0].endpoint',
    says: 'must be an http or https URL without user and path',
  },
  {
    title: 'an endpoint with credentials',
    spec: { ...run(arrange), stores: [{ name: 'lake', endpoint: 'http://a:b@s3' }] },
    path: 'spec.stores[0].endpoint',
    says: 'must be an http or https URL without user and path',
  },
  {
    title: 'an endpoint that is not HTTP',
    spec: { ...run(arrange), stores: [{ name: 'lake', endpoint: 's3://lake' }] },
    path: 'spec.stores[0].endpoint',
    says: 'must be an http or https URL without user and path',
  },
  {
    title: 'an unknown addressing',
    spec: { ...run(arrange), stores: [{ name: 'lake', addressing: 'path' }] },
    path: 'spec.stores[0].addressing',
    says: 'must be one of "Path", "Virtual"',
    serverSays: 'supported values: "Path", "Virtual"',
  },
  {
    title: 'a secret in another namespace',
    spec: { ...run(arrange), stores: [{ name: 'lake', secretRef: { name: 's3', namespace: 'other' } }] },
    path: 'spec.stores[0].secretRef.namespace',
    says: 'unknown field',
    serverSays: 'unknown field "spec.stores[0].secretRef.namespace"',
  },
  {
    title: 'a copy without any store',
    spec: { stages: [arrange] },
    path: 'spec.stages[0].copy.source.store',
    says: 'copy.source must be in a store of spec.stores',
  },
  {
    title: 'a source in an unknown store',
    spec: copyWith({ source: { ...source, store: 'leak' } }),
    path: 'spec.stages[0].copy.source.store',
    says: 'copy.source must be in a store of spec.stores',
  },
  {
    title: 'a destination that leaves the choice between two stores open',
    spec: {
      stores: [lake, attic],
      stages: [{ name: 'arrange', copy: { source: { ...source, store: 'lake' }, destination } }],
    },
    path: 'spec.stages[0].copy.destination.store',
    says: 'copy.destination must be in a store of spec.stores',
  },
  {
    title: 'an input in an unknown store',
    spec: trainWith({ inputs: [{ store: 'leak', bucket: 'raw', path: '/data' }] }),
    path: 'spec.stages[1].train.inputs[0].store',
    says: 'train.inputs must be in a store of spec.stores',
  },
  {
    title: 'an output in an unknown store',
    spec: trainWith({ outputs: [{ store: 'leak', bucket: 'raw', path: '/out' }] }),
    path: 'spec.stages[1].train.outputs[0].store',
    says: 'train.outputs must be in a store of spec.stores',
  },
  {
    title: 'a container input without any store',
    spec: {
      stages: [{ name: 'work', container: { ...command, inputs: [{ bucket: 'raw', path: '/data' }] } }],
    },
    path: 'spec.stages[0].container.inputs[0].store',
    says: 'container.inputs must be in a store of spec.stores',
  },
  {
    title: 'a container output without any store',
    spec: {
      stages: [{ name: 'work', container: { ...command, outputs: [{ bucket: 'raw', path: '/out' }] } }],
    },
    path: 'spec.stages[0].container.outputs[0].store',
    says: 'container.outputs must be in a store of spec.stores',
  },
];

const copies: InvalidExample[] = [
  {
    title: 'a copy without destination',
    spec: run({ name: 'arrange', copy: { source } }),
    path: 'spec.stages[0].copy.destination',
    says: 'is required',
    serverSays: 'spec.stages[0].copy.destination: Required value',
  },
  {
    title: 'a bucket of two letters',
    spec: copyWith({ destination: { bucket: 'ab' } }),
    path: 'spec.stages[0].copy.destination.bucket',
    says: 'must be a bucket name',
  },
  {
    title: 'a bucket with an underscore',
    spec: copyWith({ source: { bucket: 'my_bucket' } }),
    path: 'spec.stages[0].copy.source.bucket',
    says: 'must be a bucket name',
  },
  {
    title: 'a prefix over 1,024 characters',
    spec: copyWith({ source: { bucket: 'raw', prefix: 'x'.repeat(1025) } }),
    path: 'spec.stages[0].copy.source.prefix',
    says: 'at most 1024',
    serverSays: 'may not be more than 1024 bytes',
  },
  {
    title: 'an unknown mode',
    spec: copyWith({ mode: 'Rename' }),
    path: 'spec.stages[0].copy.mode',
    says: 'must be one of "Copy", "Move"',
    serverSays: 'supported values: "Copy", "Move"',
  },
  {
    title: 'a rename rule without replacement',
    spec: copyWith({ rename: [{ match: 'a' }] }),
    path: 'spec.stages[0].copy.rename[0].replace',
    says: 'is required',
    serverSays: 'spec.stages[0].copy.rename[0].replace: Required value',
  },
  {
    title: 'an empty rename expression',
    spec: copyWith({ rename: [{ match: '', replace: 'b' }] }),
    path: 'spec.stages[0].copy.rename[0].match',
    says: 'at least 1',
    serverSays: 'spec.stages[0].copy.rename[0].match in body should be at least 1 chars long',
  },
  {
    title: 'a size with a decimal unit',
    spec: copyWith({ multipartThreshold: '5GB' }),
    path: 'spec.stages[0].copy.multipartThreshold',
    says: 'must be a size such as 512Mi or 5Gi',
  },
  {
    title: 'keyList beside ledgerOf',
    spec: copyWith({
      source: {
        ...source,
        keyList: { bucket: 'raw', key: 'k' },
        ledgerOf: '7f1c2a34-0b7e-4a3e-9d55-0123456789ab',
      },
    }),
    path: 'spec.stages[0].copy.source',
    says: 'set keyList or ledgerOf, not both',
  },
  {
    title: 'a sample without verify: Sample',
    spec: copyWith({ samplePercent: 10 }),
    path: 'spec.stages[0].copy.samplePercent',
    says: 'samplePercent needs verify: Sample',
  },
  {
    title: 'a sample of 0 per cent',
    spec: copyWith({ verify: 'Sample', samplePercent: 0 }),
    path: 'spec.stages[0].copy.samplePercent',
    says: 'must be at least 1',
    serverSays: 'should be greater than or equal to 1',
  },
];

const containers: InvalidExample[] = [
  {
    title: 'a train stage without command',
    spec: run(arrange, { name: 'train', train: { image: 'a' } }),
    path: 'spec.stages[1].train.command',
    says: 'is required',
    serverSays: 'spec.stages[1].train.command: Required value',
  },
  {
    title: 'an empty command',
    spec: trainWith({ command: [] }),
    path: 'spec.stages[1].train.command',
    says: 'at least 1',
    serverSays: 'spec.stages[1].train.command in body should have at least 1 items',
  },
  {
    title: 'an image with a space',
    spec: trainWith({ image: 'a b' }),
    path: 'spec.stages[1].train.image',
    says: 'must be the name of an image',
  },
  {
    title: 'an input of neither stage nor bucket',
    spec: trainWith({ inputs: [{ path: '/data' }] }),
    path: 'spec.stages[1].train.inputs[0]',
    says: 'set exactly one of stage and bucket',
  },
  {
    title: 'an input of stage and bucket',
    spec: trainWith({ inputs: [{ stage: 'arrange', bucket: 'raw', path: '/data' }] }),
    path: 'spec.stages[1].train.inputs[0]',
    says: 'set exactly one of stage and bucket',
  },
  {
    title: 'an input of a stage with a prefix',
    spec: trainWith({ inputs: [{ stage: 'arrange', prefix: 'a/', path: '/data' }] }),
    path: 'spec.stages[1].train.inputs[0]',
    says: 'leave them out beside stage',
  },
  {
    title: 'an input on a relative path',
    spec: trainWith({ inputs: [{ stage: 'arrange', path: 'data' }] }),
    path: 'spec.stages[1].train.inputs[0].path',
    says: 'must be an absolute path',
  },
  {
    title: 'an output on the root',
    spec: trainWith({ outputs: [{ bucket: 'models', path: '/' }] }),
    path: 'spec.stages[1].train.outputs[0].path',
    says: 'must be an absolute path',
  },
  {
    title: 'an input and an output on one path',
    spec: trainWith({
      inputs: [{ stage: 'arrange', path: '/data' }],
      outputs: [{ bucket: 'models', path: '/data' }],
    }),
    path: 'spec.stages[1].train',
    says: 'change one of the two that are equal',
  },
  {
    title: 'two inputs on one path',
    spec: trainWith({
      inputs: [
        { stage: 'arrange', path: '/data' },
        { bucket: 'raw', path: '/data' },
      ],
    }),
    path: 'spec.stages[1].train.inputs[1]',
    says: 'rename or remove one',
    serverSays: 'spec.stages[1].train.inputs[1]: Duplicate value',
  },
  {
    title: 'an output on a path of ours',
    spec: trainWith({ outputs: [{ bucket: 'models', path: '/ebbflow/run' }] }),
    path: 'spec.stages[1].train',
    says: 'choose another path',
  },
  {
    title: 'an unknown placeholder in an output',
    spec: trainWith({ outputs: [{ bucket: 'models', prefix: '{runUid}/', path: '/out' }] }),
    path: 'spec.stages[1].train.outputs[0].prefix',
    says: 'may use {runUID}, {run}, {stage} and {index}',
  },
  {
    title: 'a variable that starts with a digit',
    spec: trainWith({ env: [{ name: '1A' }] }),
    path: 'spec.stages[1].train.env[0].name',
    says: 'must be the name of an environment variable',
  },
  {
    title: 'a variable with value and valueFrom',
    spec: trainWith({
      env: [{ name: 'A', value: 'b', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
    }),
    path: 'spec.stages[1].train.env[0]',
    says: 'set value or valueFrom, not both',
  },
  {
    title: 'a variable from nowhere',
    spec: trainWith({ env: [{ name: 'A', valueFrom: {} }] }),
    path: 'spec.stages[1].train.env[0].valueFrom',
    says: 'set exactly one of secretKeyRef, configMapKeyRef and fieldRef',
  },
  {
    title: 'a variable from a Secret with an upper-case name',
    spec: trainWith({ env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'Hub', key: 'a' } } }] }),
    path: 'spec.stages[1].train.env[0].valueFrom.secretKeyRef.name',
    says: 'must be the name of a Kubernetes object',
    serverSays: 'valueFrom.secretKeyRef.name in body should match',
  },
];

const pods: InvalidExample[] = [
  {
    title: 'a quantity with an unknown unit',
    spec: stageWith({ resources: { requests: { memory: '1GB' } } }),
    path: 'spec.stages[0].resources.requests.memory',
    says: 'must be a quantity',
  },
  {
    title: 'a quantity as a number',
    spec: stageWith({ resources: { requests: { cpu: 1 } } }),
    path: 'spec.stages[0].resources.requests.cpu',
    says: 'must be a string',
    serverSays: 'must be of type string',
  },
  {
    title: 'seventeen resources',
    spec: stageWith({
      resources: { limits: Object.fromEntries(repeat(17, (i) => [`example.com/r${i}`, '1'])) },
    }),
    path: 'spec.stages[0].resources.limits',
    says: 'at most 16 entries',
    serverSays: 'must have at most 16 items',
  },
  {
    title: 'a label value with a space',
    spec: { ...run(arrange), placement: { nodeSelector: { zone: 'a b' } } },
    path: 'spec.placement.nodeSelector.zone',
    says: 'must be the value of a label',
  },
  {
    title: 'a toleration without key and operator',
    spec: stageWith({ placement: { tolerations: [{ effect: 'NoSchedule' }] } }),
    path: 'spec.stages[0].placement.tolerations[0]',
    says: 'set operator to Exists, or name a key',
  },
  {
    title: 'a toleration Exists with a value',
    spec: stageWith({ placement: { tolerations: [{ key: 'a', operator: 'Exists', value: 'b' }] } }),
    path: 'spec.stages[0].placement.tolerations[0]',
    says: 'operator Exists takes no value',
  },
  {
    title: 'tolerationSeconds without NoExecute',
    spec: {
      ...run(arrange),
      placement: { tolerations: [{ key: 'a', operator: 'Exists', tolerationSeconds: 3 }] },
    },
    path: 'spec.placement.tolerations[0]',
    says: 'tolerationSeconds needs effect NoExecute',
  },
  {
    title: 'a service account with a slash',
    spec: stageWith({ serviceAccountName: 'a/b' }),
    path: 'spec.stages[0].serviceAccountName',
    says: 'must be the name of a Kubernetes object',
  },
  {
    title: 'a pull secret without name',
    spec: stageWith({ imagePullSecrets: [{}] }),
    path: 'spec.stages[0].imagePullSecrets[0].name',
    says: 'is required',
    serverSays: 'spec.stages[0].imagePullSecrets[0].name: Required value',
  },
];

/** Objects that both validateSpec and the API server refuse, with a message that says what to change. */
export const INVALID: readonly InvalidExample[] = [
  ...shape,
  ...kinds,
  ...dependencies,
  ...stores,
  ...copies,
  ...containers,
  ...pods,
];
