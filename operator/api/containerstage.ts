/** The `train` and `container` members of a stage: the user's own image, with inputs on disk and outputs in a store. */
import { z } from 'zod';
import type { Immutable } from './immutable.ts';
import { dnsLabel, envVar } from './common.ts';
import { locationFields } from './stores.ts';

const path = z
  .string()
  .min(2)
  .max(255)
  .regex(/^\/[^\0]*$/, 'must be an absolute path inside the container');

export const input = z
  .object({
    stage: dnsLabel
      .optional()
      .describe('Takes what this earlier stage wrote. It must be named in dependsOn.'),
    ...locationFields,
    bucket: locationFields.bucket.optional(),
    path: path.describe('Directory in which the files stand before the command starts.'),
  })
  .meta({
    'x-kubernetes-validations': [
      {
        rule: 'has(self.stage) != has(self.bucket)',
        message: 'set exactly one of stage and bucket: an input is what a stage wrote, or a location',
      },
      {
        rule: '!has(self.stage) || (!has(self.store) && !has(self.prefix))',
        message: 'store and prefix belong to a bucket: leave them out beside stage',
      },
    ],
  })
  .describe('Files that are fetched before the command starts.');

export const output = z
  .object({
    ...locationFields,
    path: path.describe('Directory whose files are uploaded after the command ended with exit code 0.'),
  })
  .describe(
    'Files that are stored after the command succeeded. {runUID}, {run}, {stage} and {index} in prefix are replaced.',
  );

const fields = {
  image: z.string().min(1).max(512).describe('Image of the main container.'),
  command: z
    .array(z.string().max(8192))
    .min(1)
    .max(256)
    .describe(
      'Command and arguments. Required, because it runs under a small supervisor that records how it ended.',
    ),
  env: z.array(envVar).max(256).optional().describe('Environment of the command.'),
  inputs: z.array(input).max(16).optional().describe('Files that are on disk before the command starts.'),
  outputs: z
    .array(output)
    .max(16)
    .optional()
    .describe('Files that are uploaded after the command succeeded.'),
};

export const trainStage = z
  .object(fields)
  .describe('Trains a model: a command of your image with inputs and outputs, workers as one gang.');
export const containerStage = z
  .object(fields)
  .describe('Runs any command of any image with inputs and outputs.');

export type TrainStage = Immutable<z.infer<typeof trainStage>>;
export type ContainerStage = Immutable<z.infer<typeof containerStage>>;
export type Input = Immutable<z.infer<typeof input>>;
export type Output = Immutable<z.infer<typeof output>>;
