/** The PipelineRun as it travels: raw JSON, times as RFC 3339 strings. */
import type { Immutable } from './immutable.ts';
import type { API_VERSION, KIND } from './names.ts';
import type { PipelineRunSpec } from './pipelinerun.ts';
import type { PipelineRunStatus } from './status.ts';

interface Fields {
  apiVersion: typeof API_VERSION;
  kind: typeof KIND;
  metadata: {
    name: string;
    namespace: string;
    uid: string;
    resourceVersion: string;
    generation: number;
    creationTimestamp: string;
    deletionTimestamp?: string;
    finalizers?: string[];
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  spec: PipelineRunSpec;
  status?: PipelineRunStatus;
}

export type PipelineRun = Immutable<Fields>;
