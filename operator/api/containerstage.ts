/** The `train` and `container` members of a stage: the user's own image, with inputs on disk and outputs in a store. */
import { z } from 'zod';
import type { Immutable } from './immutable.ts';
import { dnsLabel, envVar, formed } from './common.ts';
import { distinctPaths, freePaths, inputOrigin, inputStageAlone, rules } from './rules.ts';
import { locationFields } from './stores.ts';

const path = formed(
  255,
  /^(\/[A-Za-z0-9._@%+=~,-]+)+\/?$/,
  'must be an absolute path inside the container, not the root: /, letters, digits and . _ @ % + = ~ , -',
);

const outputPrefix = formed(
  1024,
  /^([^{}]|\{(runUID|run|stage|index)\})*$/,
  'may use {runUID}, {run}, {stage} and {index}; write no other braces',
);

export const input = z
  .object({
    stage: dnsLabel
      .optional()
      .describe('Takes what this earlier stage wrote. It must be named in dependsOn.'),
    ...locationFields,
    bucket: locationFields.bucket.optional(),
    path: path.describe('Directory in which the files stand before the command starts.'),
  })
  .meta(rules(inputOrigin, inputStageAlone))
  .describe('Files that are fetched before the command starts.');

export const output = z
  .object({
    ...locationFields,
    prefix: outputPrefix
      .optional()
      .describe(
        'Literal prefix of the keys; {runUID}, {run}, {stage} and {index} are replaced. No slash is added. Default: the whole bucket.',
      ),
    path: path.describe('Directory whose files are uploaded after the command ended with exit code 0.'),
  })
  .describe('Files that are stored after the command succeeded.');

const BY_PATH = { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['path'] };

const fields = {
  image: formed(
    512,
    /^[A-Za-z0-9][A-Za-z0-9._/:@-]*$/,
    'must be the name of an image, such as registry.example.com/team/trainer:1.4',
  ).describe('Image of the main container.'),
  command: z
    .array(z.string().max(8192))
    .min(1)
    .max(256)
    .describe(
      'Command and arguments. Required, because it runs under a small supervisor that records how it ended.',
    ),
  env: z.array(envVar).max(256).optional().describe('Environment of the command.'),
  inputs: z
    .array(input)
    .max(16)
    .meta(BY_PATH)
    .optional()
    .describe('Files that are on disk before the command starts.'),
  outputs: z
    .array(output)
    .max(16)
    .meta(BY_PATH)
    .optional()
    .describe('Files that are uploaded after the command succeeded.'),
};

export const trainStage = z
  .object(fields)
  .meta(rules(distinctPaths, freePaths))
  .describe('Trains a model: a command of your image with inputs and outputs, workers as one gang.');
export const containerStage = z
  .object(fields)
  .meta(rules(distinctPaths, freePaths))
  .describe('Runs any command of any image with inputs and outputs.');

export type ContainerStage = Immutable<z.infer<typeof containerStage>>;
export type Input = Immutable<z.infer<typeof input>>;
