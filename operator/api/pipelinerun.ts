/**
 * The PipelineRun: the public contract. These schemas are the only source of the types, the CRD, its validation and
 * the documentation (`kubectl explain`).
 *
 * What zod cannot say in OpenAPI is said in CEL in the metadata, and again by {@link validateSpec} for those who
 * have no API server at hand.
 */
import { z } from 'zod';
import type { Immutable } from './immutable.ts';
import { dnsLabel, objectName, placement, resources, seconds } from './common.ts';
import { containerStage, trainStage } from './containerstage.ts';
import { copyStage } from './copystage.ts';
import {
  cancelOneWay,
  containerStores,
  copyStores,
  immutable,
  inputStages,
  knownDependencies,
  ledgerStage,
  noSelfDependency,
  oneKind,
  rules,
} from './rules.ts';
import { store } from './stores.ts';

const timeouts = {
  provisionTimeoutSeconds: seconds
    .optional()
    .describe(
      'From the creation of a Job to its pod being scheduled, per attempt: how long to wait for a node. Default: 900.',
    ),
  startTimeoutSeconds: seconds
    .optional()
    .describe(
      'From a pod being scheduled to its main container started: pulling images and fetching inputs. Default: 600.',
    ),
  activeDeadlineSeconds: seconds
    .optional()
    .describe('Time of running, summed over attempts. Waiting for a node is never counted. Default: 86400.'),
};

export const stage = z
  .object({
    name: dnsLabel.describe('Name of the stage, unique in the run.'),
    dependsOn: z
      .array(dnsLabel)
      .max(16)
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional()
      .describe('Stages that must have succeeded before this one starts.'),
    workers: z
      .int32()
      .min(1)
      .max(10_000)
      .optional()
      .describe(
        'Number of workers. For copy an upper bound: each has at least 4,000 objects, 64 MiB counting as one more, unless the operator is set otherwise. Default: 1.',
      ),
    retry: z
      .object({
        failures: z
          .int32()
          .min(0)
          .max(100)
          .optional()
          .describe('How often a worker may fail by itself. Default: 3 for copy, else 0.'),
        disruptions: z
          .int32()
          .min(0)
          .max(1000)
          .optional()
          .describe('How often a worker may be lost to preemption, eviction or a dead node. Default: 20.'),
      })
      .optional()
      .describe('How often the stage is tried again.'),
    placement: placement.optional(),
    resources: resources.optional(),
    serviceAccountName: objectName.optional().describe('Service account of the pods. Default: default.'),
    imagePullSecrets: z
      .array(z.object({ name: objectName.describe('Name of the Secret.') }))
      .max(8)
      .optional()
      .describe('Secrets with which images are pulled.'),
    ...timeouts,
    copy: copyStage.optional(),
    train: trainStage.optional(),
    container: containerStage.optional(),
  })
  .meta(rules(oneKind, noSelfDependency, inputStages, ledgerStage))
  .describe('One step of the run: exactly one of copy, train and container.');

const fields = {
  pipeline: dnsLabel
    .optional()
    .describe('Groups runs in metrics and results. Never a generated name. Default: the name of the run.'),
  stores: z
    .array(store)
    .max(16)
    .optional()
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
    .describe('Where data lives.'),
  placement: placement.optional(),
  ...timeouts,
  stages: z
    .array(stage)
    .min(1)
    .max(100)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
    .describe('The steps of the run, as a graph by dependsOn.'),
  suspend: z
    .boolean()
    .optional()
    .describe(
      'Stops the run without ending it: pods end with grace and come back when this is false again. Default: false.',
    ),
  cancel: z
    .boolean()
    .optional()
    .describe('Ends the run. Cannot be taken back; wins over suspend. Default: false.'),
  ttlSecondsAfterFinished: z
    .int32()
    .min(0)
    .optional()
    .describe(
      'Deletes the PipelineRun this long after its end. Compute is deleted at once in any case. Default: never.',
    ),
};

/** Members of spec that may change after creation. */
const MUTABLE: readonly string[] = ['suspend', 'cancel'];

export const pipelineRunSpec = z
  .object(fields)
  .meta(
    rules(
      knownDependencies,
      copyStores.source,
      copyStores.destination,
      containerStores.train.inputs,
      containerStores.train.outputs,
      containerStores.container.inputs,
      containerStores.container.outputs,
      cancelOneWay,
      ...Object.keys(fields)
        .filter((field) => !MUTABLE.includes(field))
        .map(immutable),
    ),
  )
  .describe('What the run is to do. Immutable but for suspend and cancel.');

export type Stage = Immutable<z.infer<typeof stage>>;
export type PipelineRunSpec = Immutable<z.infer<typeof pipelineRunSpec>>;
