/** Stages of tests that show which pod did the work. */
import type { PipelineRunSpec } from '../../../operator/api/pipelinerun.ts';
import type { PipelineRun } from '../../../operator/api/types.ts';
import { type Bed, stageOf } from './bed.ts';

/** Stage `work`, whose output is one file named after its pod: two admitted pods would leave two. */
export function writesItsName(
  bed: Bed,
  script: string,
  more: object = {},
): PipelineRunSpec['stages'][number] {
  return {
    name: 'work',
    ...more,
    container: {
      image: bed.image,
      command: ['sh', '-c', `echo begun; ${script}; echo "$POD" > "/out/$POD"; echo ended`],
      env: [{ name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
      outputs: [{ path: '/out', bucket: 'models', prefix: '{runUID}/' }],
    },
  };
}

/** Whether the command of stage `work` runs. */
export const isWorking = (run: PipelineRun): boolean => stageOf(run, 'work')?.state === 'Running';
