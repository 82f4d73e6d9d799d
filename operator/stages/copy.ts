/** Copy stage -> pod. One container of ours; the data never enters it unless it has to be streamed. */
import type { PipelineRunSpec, Stage } from '../api/pipelinerun.ts';
import type { PodSpec } from '../kube/types.ts';
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
import { scratchOf } from './scratch.ts';
import type { PodSettings } from './settings.ts';
import { storesOf, workerSpecOf } from './workerspec.ts';

const DEFAULT_REQUESTS = { cpu: '250m', memory: '256Mi' };

export function copyPod(
  spec: PipelineRunSpec,
  stage: Stage,
  names: AttemptNames,
  settings: PodSettings,
  deadline: number,
): PodSpec {
  const stores = storesOf(spec, stage);
  const told = { ...workerSpecOf(spec, stage, names), share: settings.copyWorkerShare };
  return {
    ...podFrame(spec, stage, { seconds: 60, deadline }),
    containers: [
      {
        name: CONTAINERS.copy,
        image: settings.image,
        args: ['copy'],
        env: workerEnv(names, settings, told),
        resources: resourcesOf(stage.resources, DEFAULT_REQUESTS),
        volumeMounts: [...ownMounts(stores), { name: 'scratch', mountPath: PATHS.scratch }],
        securityContext: restricted(true),
      },
    ],
    volumes: [
      ...ownVolumes(stores),
      { name: 'scratch', emptyDir: { sizeLimit: scratchOf(stage.resources).size } },
    ],
  };
}
