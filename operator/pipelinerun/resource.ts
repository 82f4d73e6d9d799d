/** PipelineRuns and namespaces as resource types of the controller library. */
import { GROUP, KIND, PLURAL, VERSION } from '../api/names.ts';
import type { PipelineRun } from '../api/types.ts';
import type { Resource } from '../kube/resource.ts';

/** PipelineRuns as the controller library knows them. */
export const pipelineRuns: Resource<PipelineRunObject> = {
  group: GROUP,
  version: VERSION,
  plural: PLURAL,
  kind: KIND,
  namespaced: true,
};

/** Asked only for its UID: a namespace that is made again under the same name does not inherit old logs. */
export const namespaces: Resource = {
  group: '',
  version: 'v1',
  plural: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
};

/** The API's type in the shape that the library asks of every object: it never changes what it was given. */
export interface PipelineRunObject {
  apiVersion: PipelineRun['apiVersion'];
  kind: PipelineRun['kind'];
  metadata: { -readonly [K in keyof PipelineRun['metadata']]: Mutable<PipelineRun['metadata'][K]> };
  spec: PipelineRun['spec'];
  status?: PipelineRun['status'];
}

type Mutable<T> = T extends readonly (infer U)[]
  ? U[]
  : T extends object
    ? { -readonly [K in keyof T]: T[K] }
    : T;
