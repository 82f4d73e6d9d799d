/** Status of a PipelineRun: bounded, and never a list of workers. */
import { z } from 'zod';
import type { Immutable } from './immutable.ts';

export const STAGE_STATES = [
  'Waiting',
  'Provisioning',
  'Starting',
  'Running',
  'Finalizing',
  'Succeeded',
  'Failed',
  'Skipped',
  'Canceled',
] as const;
export type StageState = (typeof STAGE_STATES)[number];

/** States that a stage never leaves. */
const TERMINAL_STATES = [
  'Succeeded',
  'Failed',
  'Skipped',
  'Canceled',
] as const satisfies readonly StageState[];

/** Longest message in status, in UTF-8 bytes. */
export const MAX_MESSAGE_BYTES = 256;

/** Longest `doing`: beside the other columns of kubectl get it leaves a line of a terminal one line. */
export const MAX_DOING_BYTES = 64;

const time = z.string().max(32).meta({ format: 'date-time' });
const reason = z.string().max(64).describe('One word for machines, from the documented list.');
const message = z.string().max(1024).describe('One sentence for people: what, where, and what to do.');
const count = z.int32().min(0);

export const condition = z.object({
  type: z.string().max(63).describe('Succeeded, LogsStored or ResourcesDeleted.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Unknown while it is not decided.'),
  reason: reason.min(1),
  message,
  lastTransitionTime: time.describe('When status last changed.'),
  observedGeneration: z
    .int32()
    .min(0)
    .optional()
    .describe('Generation of the spec that this was decided for.'),
});

export const stageStatus = z.object({
  name: z.string().max(63).describe('Name of the stage.'),
  state: z.enum(STAGE_STATES).describe('Where the stage stands.'),
  reason: reason.optional(),
  message: message.optional(),
  attempt: count.optional().describe('Attempt that is running or ran last, counted from 1.'),
  failures: count.optional().describe('Attempts that failed by themselves.'),
  disruptions: count
    .optional()
    .describe('Attempts lost to preemption, eviction, a dead node or the deletion of their Job.'),
  refusedSince: time
    .optional()
    .describe('Since when the cluster has refused to create the Job of the attempt; absent when it has not.'),
  activeSeconds: count.optional().describe('Seconds of running in attempts that have ended.'),
  admitted: z
    .string()
    .max(36)
    .optional()
    .describe('UID of the pod whose outputs were admitted; there is never a second one.'),
  workers: z
    .object({
      wanted: count.describe('Workers that the stage wants.'),
      active: count.describe('Workers whose pods exist and have not ended.'),
      succeeded: count.describe('Workers that ended well.'),
      failed: count.describe('Pods that ended without success; a worker may have several.'),
    })
    .optional()
    .describe('Numbers of workers.'),
  progress: z
    .object({
      done: z.number().min(0).describe('Units that are done.'),
      total: z.number().min(0).describe('Units in all; 0 while it is not known.'),
      unit: z.string().max(32).describe('What is counted, such as objects.'),
      bytes: z.number().min(0).optional().describe('Bytes of what is done.'),
      totalBytes: z.number().min(0).optional().describe('Bytes in all.'),
      perSecond: z.number().min(0).optional().describe('Units per second, lately.'),
      secondsLeft: count.optional().describe('Seconds that are left if it goes on like that.'),
      throttledPercent: z
        .int32()
        .min(0)
        .max(100)
        .optional()
        .describe('Share of the requests to the stores that were refused for being too many, lately.'),
    })
    .optional()
    .describe('How far the stage is.'),
  logs: z
    .enum(['Sidecar', 'PodsLog'])
    .optional()
    .describe('How logs are captured. In PodsLog, secrets are masked by pattern only.'),
  startTime: time.optional().describe('When the first Job of the stage was created.'),
  completionTime: time.optional().describe('When the stage reached its final state.'),
});

export const pipelineRunStatus = z.object({
  observedGeneration: z
    .int32()
    .min(0)
    .optional()
    .describe('Generation of the spec that this status is about.'),
  startTime: time.optional().describe('When the operator took the run on.'),
  completionTime: time.optional().describe('When the run became terminal.'),
  outcome: z
    .object({
      result: z.enum(['Succeeded', 'Failed', 'Canceled']).describe('How the run ended.'),
      reason,
      time: time.describe('When it was decided.'),
      message: message.optional(),
    })
    .optional()
    .describe('The decided outcome. It is written before the record is stored and never changes.'),
  conditions: z
    .array(condition)
    .max(8)
    .optional()
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] })
    .describe('What is known about the run: Succeeded, LogsStored and ResourcesDeleted.'),
  stages: z
    .array(stageStatus)
    .max(100)
    .optional()
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
    .describe('Where each stage stands, in the order of the spec.'),
  summary: z
    .object({
      stages: z.string().max(16).describe('Succeeded and all stages, such as 1/3.'),
      doing: z
        .string()
        .max(256)
        .describe('What the run does or why it waits, cut to one line of a terminal.'),
      message: z.string().max(256).optional().describe('The same as a whole sentence.'),
    })
    .optional()
    .describe('What kubectl get shows.'),
  nodes: z
    .object({
      launched: count.describe('Nodes that came up for this run.'),
      nodeSeconds: count.describe('Sum of their seconds.'),
    })
    .optional()
    .describe('Figures up to the commit; the final ones are in nodes.json.'),
  results: z
    .object({
      uid: z.string().max(36).describe('UID of the run: its name in the results store.'),
      location: z.string().max(1024).describe('URL of the directory in the results store.'),
    })
    .optional()
    .describe('Where the record and the logs are.'),
});

export type Condition = Immutable<z.infer<typeof condition>>;
export type StageStatus = Immutable<z.infer<typeof stageStatus>>;
export type PipelineRunStatus = Immutable<z.infer<typeof pipelineRunStatus>>;

export function isTerminal(state: StageState): boolean {
  return (TERMINAL_STATES as readonly StageState[]).includes(state);
}
