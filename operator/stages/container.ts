/**
 * Train and container stage -> pod: `fetch` puts the inputs on disk, `main` is the user's image under the shim, `agent`
 * stores the outputs once the operator has admitted this pod. Tokens and credentials are in our containers only.
 */
import type { ContainerStage } from '../api/containerstage.ts';
import type { PipelineRunSpec, Stage } from '../api/pipelinerun.ts';
import type { Container, PodSpec } from '../kube/types.ts';
import { CONTAINERS, PATHS } from '../../workers/contract/environment.ts';
import {
  type AttemptNames,
  ownMounts,
  ownVolumes,
  podFrame,
  resourcesOf,
  restricted,
  workerEnv,
} from './pod.ts';
import type { PodSettings } from './settings.ts';
import { storesOf, workerSpecOf } from './workerspec.ts';

type Mount = NonNullable<Container['volumeMounts']>[number];
type Volume = NonNullable<PodSpec['volumes']>[number];

const MAIN_REQUESTS = { cpu: '100m', memory: '128Mi' };
const OWN_REQUESTS = { cpu: '50m', memory: '96Mi' };
const GRACE_SECONDS = 90;

/** One volume per input and output, seen by the user's container at its own path and by ours at a fixed one. */
interface DataVolumes {
  volumes: Volume[];
  user: Mount[];
  inputs: Mount[];
  outputs: Mount[];
}

function dataVolumes(member: ContainerStage): DataVolumes {
  const inputs = (member.inputs ?? []).map(({ path }, index) => ({
    name: `input-${index}`,
    path,
    own: `${PATHS.inputs}/${index}`,
  }));
  const outputs = (member.outputs ?? []).map(({ path }, index) => ({
    name: `output-${index}`,
    path,
    own: `${PATHS.outputs}/${index}`,
  }));
  return {
    volumes: [...inputs, ...outputs].map(({ name }) => ({ name, emptyDir: {} })),
    user: [...inputs, ...outputs].map(({ name, path }) => ({ name, mountPath: path })),
    inputs: inputs.map(({ name, own }) => ({ name, mountPath: own })),
    outputs: outputs.map(({ name, own }) => ({ name, mountPath: own, readOnly: true })),
  };
}

/** Without inputs only the shim has to be put in place, which it does itself in a hundredth of the time. */
function fetchCommand({ inputs = [] }: ContainerStage): Pick<Container, 'command' | 'args'> {
  return inputs.length > 0 ? { args: ['fetch'] } : { command: [PATHS.shimSource, '-install', PATHS.shim] };
}

export function containerPod(
  spec: PipelineRunSpec,
  stage: Stage,
  member: ContainerStage,
  names: AttemptNames,
  settings: PodSettings,
  deadline: number,
): PodSpec {
  const stores = storesOf(spec, stage);
  const data = dataVolumes(member);
  const env = workerEnv(names, settings, workerSpecOf(spec, stage, names));
  const own = {
    image: settings.image,
    env,
    securityContext: restricted(true),
    resources: { requests: OWN_REQUESTS },
  };
  const bin: Mount = { name: 'bin', mountPath: PATHS.bin };
  const run: Mount = { name: 'run', mountPath: PATHS.run };
  return {
    ...podFrame(spec, stage, { seconds: GRACE_SECONDS, deadline }),
    initContainers: [
      {
        ...own,
        name: CONTAINERS.fetch,
        ...fetchCommand(member),
        volumeMounts: [...ownMounts(stores), bin, ...data.inputs],
      },
    ],
    containers: [
      // The kubelet starts them in this order: a short command has then not ended before somebody listens.
      {
        ...own,
        name: CONTAINERS.agent,
        args: ['agent'],
        volumeMounts: [...ownMounts(stores), run, ...data.outputs],
      },
      {
        name: CONTAINERS.main,
        image: member.image,
        command: [PATHS.shim, '--', ...member.command],
        env: [
          { name: 'PYTHONUNBUFFERED', value: '1' },
          { name: 'HOME', value: '/tmp' },
          ...(member.env ?? []),
        ],
        resources: resourcesOf(stage.resources, MAIN_REQUESTS),
        volumeMounts: [{ ...bin, readOnly: true }, run, { name: 'scratch', mountPath: '/tmp' }, ...data.user],
        securityContext: restricted(false),
      },
    ],
    volumes: [
      ...ownVolumes(stores),
      ...['bin', 'run', 'scratch'].map((name) => ({ name, emptyDir: {} })),
      ...data.volumes,
    ],
  };
}
