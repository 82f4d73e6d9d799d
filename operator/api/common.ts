/**
 * Building blocks of the schema: bounded strings and the few pieces of core/v1 that a PipelineRun takes.
 * Every string and list is bounded, because CEL's cost budget and etcd's object size depend on it.
 */
import { z } from 'zod';
import type { Immutable } from './immutable.ts';

/** A DNS-1123 label. */
export const dnsLabel = z
  .string()
  .min(1)
  .max(63)
  .regex(
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
    'must be a DNS label: lower-case letters, digits and -, starting and ending with a letter or digit',
  );

/** Name of a namespaced object: a DNS-1123 subdomain. */
export const objectName = z
  .string()
  .min(1)
  .max(253)
  .regex(
    /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/,
    'must be the name of a Kubernetes object: lower-case letters, digits, - and .',
  );

/** Name of an S3 bucket. */
export const bucketName = z
  .string()
  .min(3)
  .max(63)
  .regex(/^[a-z0-9][a-z0-9.-]*[a-z0-9]$/, 'must be a bucket name: 3-63 lower-case letters, digits, - and .')
  .describe('Name of the bucket.');

/** A literal key prefix; Ebbflow never adds a slash of its own. */
export const keyPrefix = z
  .string()
  .max(1024)
  .describe(
    'Literal prefix of the keys. No slash is added: write it when you want one. Default: the whole bucket.',
  );

export const seconds = z.int32().min(1);

const quantity = z
  .string()
  .max(32)
  .regex(
    /^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$/,
    'must be a quantity such as "500m", "2" or "1Gi"',
  );

/** A map with bounded keys and number of entries, which zod's record and JSON Schema can only say separately. */
function boundedMap<Value extends z.ZodType>(maxKeyLength: number, value: Value, maxEntries: number) {
  const tooMany = `has too many entries: at most ${maxEntries}`;
  return z
    .record(z.string().max(maxKeyLength), value)
    .refine((map) => Object.keys(map).length <= maxEntries, tooMany)
    .meta({ maxProperties: maxEntries });
}

export const resources = z
  .object({
    requests: boundedMap(317, quantity, 16)
      .optional()
      .describe(
        'What the scheduler and the autoscaler reserve, by resource name. Example: {cpu: "1", memory: 1Gi}.',
      ),
    limits: boundedMap(317, quantity, 16)
      .optional()
      .describe('What the container may use at most, by resource name.'),
  })
  .describe('Compute resources of the main container, as in a Pod.');

const keyRef = z.object({
  name: objectName.describe('Name of the object in the namespace of the run.'),
  key: z.string().min(1).max(253).describe('Key inside it.'),
  optional: z
    .boolean()
    .optional()
    .describe('Whether the variable may be left out when the object or key does not exist.'),
});

export const envVar = z
  .object({
    name: z
      .string()
      .min(1)
      .max(253)
      .regex(/^[A-Za-z_][A-Za-z0-9_.-]*$/, 'must be the name of an environment variable')
      .describe('Name of the variable.'),
    value: z.string().max(8192).optional().describe('Literal value.'),
    valueFrom: z
      .object({
        secretKeyRef: keyRef.optional().describe('Takes the value from a key of a Secret.'),
        configMapKeyRef: keyRef.optional().describe('Takes the value from a key of a ConfigMap.'),
        fieldRef: z
          .object({
            fieldPath: z.string().min(1).max(253).describe('Path of the field, such as metadata.name.'),
          })
          .optional()
          .describe('Takes the value from a field of the pod.'),
      })
      .optional()
      .describe('Source of the value, as in a Pod. Exactly one member.'),
  })
  .describe('One environment variable, as in a Pod.');

const toleration = z.object({
  key: z
    .string()
    .max(316)
    .optional()
    .describe('Key of the taint; empty with operator Exists matches every taint.'),
  operator: z
    .enum(['Exists', 'Equal'])
    .optional()
    .describe('How the key relates to the value. Default: Equal.'),
  value: z.string().max(63).optional().describe('Value of the taint, with operator Equal.'),
  effect: z
    .enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute'])
    .optional()
    .describe('Effect to tolerate; left out: every effect.'),
  tolerationSeconds: z.int32().optional().describe('How long a NoExecute taint is tolerated.'),
});

export const placement = z
  .object({
    nodeSelector: boundedMap(317, z.string().max(63), 32)
      .optional()
      .describe('Labels that a node must have.'),
    tolerations: z.array(toleration).max(16).optional().describe('Taints that the pods tolerate.'),
  })
  .describe("Where the pods run. A stage's placement replaces the run's as a whole.");

export type Placement = Immutable<z.infer<typeof placement>>;
export type Resources = Immutable<z.infer<typeof resources>>;
export type EnvVar = Immutable<z.infer<typeof envVar>>;
